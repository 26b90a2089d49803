// JPEG with libjpeg-turbo. Its errors jump back into the functions here, so pointers to allocated memory are volatile
// or on the heap.

#include "imaging.h"
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <jpeglib.h>

typedef struct {
  struct jpeg_error_mgr manager;
  jmp_buf back;
  char *message;
} error_state;

static void fail(j_common_ptr info) {
  error_state *state = (error_state *)info->err;
  char text[JMSG_LENGTH_MAX];
  state->manager.format_message(info, text);
  snprintf(state->message, SW_MESSAGE_SIZE, "%s", text);
  longjmp(state->back, 1);
}

// A warning (level -1; other levels are traces) means that pixels are missing or made up, so it is treated as an error.
static void warn(j_common_ptr info, int level) {
  if (level < 0) fail(info);
}

static struct jpeg_error_mgr *errors(error_state *state, char *message) {
  jpeg_std_error(&state->manager);
  state->manager.error_exit = fail;
  state->manager.emit_message = warn;
  state->message = message;
  return &state->manager;
}

int sw_jpeg_decode(
  const uint8_t *bytes, size_t count, uint8_t **pixels, int *width, int *height, char *message
) {
  struct jpeg_decompress_struct info;
  error_state state;
  uint8_t *volatile target = NULL;
  info.err = errors(&state, message);
  if (setjmp(state.back)) {
    jpeg_destroy_decompress(&info);
    free(target);
    return 1;
  }
  jpeg_create_decompress(&info);
  jpeg_mem_src(&info, bytes, count);
  jpeg_read_header(&info, TRUE);
  if (info.jpeg_color_space == JCS_CMYK || info.jpeg_color_space == JCS_YCCK) {
    snprintf(message, SW_MESSAGE_SIZE, "the colours are CMYK; convert the picture to RGB or grey");
    longjmp(state.back, 1);
  }
  if ((uint64_t)info.image_width * info.image_height > SW_MAXIMUM_PIXELS) {
    snprintf(message, SW_MESSAGE_SIZE, "the picture has more than 2^28 pixels; make it smaller");
    longjmp(state.back, 1);
  }
  info.out_color_space = JCS_RGB;
  jpeg_start_decompress(&info);
  size_t stride = (size_t)info.output_width * 3;
  target = malloc(stride * info.output_height);
  if (!target) {
    snprintf(message, SW_MESSAGE_SIZE, "out of memory");
    longjmp(state.back, 1);
  }
  while (info.output_scanline < info.output_height) {
    JSAMPROW row = (uint8_t *)target + stride * info.output_scanline;
    jpeg_read_scanlines(&info, &row, 1);
  }
  *width = (int)info.output_width;
  *height = (int)info.output_height;
  *pixels = target;
  jpeg_finish_decompress(&info);
  jpeg_destroy_decompress(&info);
  return 0;
}

int sw_jpeg_encode(
  const uint8_t *pixels, int width, int height, int quality, uint8_t **bytes, size_t *count, char *message
) {
  struct jpeg_compress_struct info;
  error_state state;
  // libjpeg replaces the buffer as it grows. The struct is on the heap so that its fields are valid after a jump.
  struct { unsigned char *bytes; unsigned long count; } *output = calloc(1, sizeof *output);
  if (!output) {
    snprintf(message, SW_MESSAGE_SIZE, "out of memory");
    return 1;
  }
  info.err = errors(&state, message);
  if (setjmp(state.back)) {
    jpeg_destroy_compress(&info);
    free(output->bytes);
    free(output);
    return 1;
  }
  jpeg_create_compress(&info);
  jpeg_mem_dest(&info, &output->bytes, &output->count);
  info.image_width = (JDIMENSION)width;
  info.image_height = (JDIMENSION)height;
  info.input_components = 3;
  info.in_color_space = JCS_RGB;
  jpeg_set_defaults(&info);
  jpeg_set_quality(&info, quality, TRUE);
  jpeg_start_compress(&info, TRUE);
  size_t stride = (size_t)width * 3;
  while (info.next_scanline < info.image_height) {
    JSAMPROW row = (JSAMPROW)(pixels + stride * info.next_scanline);
    jpeg_write_scanlines(&info, &row, 1);
  }
  jpeg_finish_compress(&info);
  jpeg_destroy_compress(&info);
  *bytes = output->bytes;
  *count = output->count;
  free(output);
  return 0;
}
