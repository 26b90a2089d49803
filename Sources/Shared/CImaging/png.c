// PNG with the simplified interface of libpng, which returns errors instead of jumping.

#include "imaging.h"
#include <png.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int failed(png_image *image, const char *what, char *message) {
  snprintf(message, SW_MESSAGE_SIZE, "%s", what ? what : image->message);
  png_image_free(image);
  return 1;
}

int sw_png_decode(
  const uint8_t *bytes, size_t count, uint8_t **pixels, int *width, int *height, char *message
) {
  png_image image;
  memset(&image, 0, sizeof image);
  image.version = PNG_IMAGE_VERSION;
  if (!png_image_begin_read_from_memory(&image, bytes, count)) return failed(&image, NULL, message);
  if ((uint64_t)image.width * image.height > SW_MAXIMUM_PIXELS)
    return failed(&image, "the picture has more than 2^28 pixels; make it smaller", message);
  image.format = PNG_FORMAT_RGBA;
  image.flags |= PNG_IMAGE_FLAG_16BIT_sRGB;
  size_t pixelCount = (size_t)image.width * image.height;
  uint8_t *rgba = malloc(pixelCount * 4);
  if (!rgba) return failed(&image, "out of memory", message);
  if (!png_image_finish_read(&image, NULL, rgba, 0, NULL)) {
    free(rgba);
    return failed(&image, NULL, message);
  }
  // In place: the three bytes of a pixel are written at or before the position of its four bytes.
  for (size_t i = 0; i < pixelCount; ++i) {
    int alpha = rgba[4 * i + 3];
    for (int c = 0; c < 3; ++c)
      rgba[3 * i + c] = (uint8_t)((rgba[4 * i + c] * alpha + 255 * (255 - alpha) + 127) / 255);
  }
  *pixels = rgba;
  *width = (int)image.width;
  *height = (int)image.height;
  return 0;
}

int sw_png_encode(
  const uint8_t *pixels, int width, int height, uint8_t **bytes, size_t *count, char *message
) {
  png_image image;
  memset(&image, 0, sizeof image);
  image.version = PNG_IMAGE_VERSION;
  image.width = (png_uint_32)width;
  image.height = (png_uint_32)height;
  image.format = PNG_FORMAT_RGB;
  png_alloc_size_t size = PNG_IMAGE_PNG_SIZE_MAX(image);
  uint8_t *target = malloc(size);
  if (!target) return failed(&image, "out of memory", message);
  if (!png_image_write_to_memory(&image, target, &size, 0, pixels, 0, NULL)) {
    free(target);
    return failed(&image, NULL, message);
  }
  *bytes = target;
  *count = size;
  return 0;
}
