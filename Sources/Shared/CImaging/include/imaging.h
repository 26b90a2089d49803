// Pictures in memory: PNG, JPEG, resampling as in Pillow, glyphs. Pixels are 8-bit RGB, rows from the top, no padding.
// Functions that can fail return 0 on success and write `message` otherwise. The caller frees the buffers that they
// return with free().
#pragma once
#include <stddef.h>
#include <stdint.h>

enum { SW_MESSAGE_SIZE = 256 };
/// The largest picture that is read, in pixels: a larger one is refused by its header, before memory is allocated.
enum { SW_MAXIMUM_PIXELS = 1 << 28 };

/// Alpha is composited on white; palettes, grey levels and 16-bit channels are converted.
int sw_png_decode(
  const uint8_t *bytes, size_t count, uint8_t **pixels, int *width, int *height, char *message);
int sw_png_encode(
  const uint8_t *pixels, int width, int height, uint8_t **bytes, size_t *count, char *message);

/// Decodes grey and YCbCr pictures; CMYK is refused.
int sw_jpeg_decode(
  const uint8_t *bytes, size_t count, uint8_t **pixels, int *width, int *height, char *message);
/// Encodes with 4:2:0 and the standard Huffman tables of libjpeg, the defaults of Pillow, which gives the same bytes
/// with the same version of the library. Quality is 1 to 100.
int sw_jpeg_encode(
  const uint8_t *pixels, int width, int height, int quality, uint8_t **bytes, size_t *count, char *message);

/// Antialiased bicubic resampling, equal to that of Pillow to the bit. Returns nonzero when there is no memory.
int sw_resize_bicubic(
  const uint8_t *source, int width, int height, uint8_t *target, int target_width, int target_height);

/// Affine warp with bilinear weights, white outside of the source: target pixel (x, y) is the source at
/// (m0 x + m1 y + m2, m3 x + m4 y + m5). Pixel centres are at integers.
void sw_warp(
  const uint8_t *source, int width, int height, uint8_t *target, int target_width, int target_height,
  const double *matrix);

typedef struct sw_font sw_font;
sw_font *sw_font_open(const char *path, char *message);
void sw_font_close(sw_font *font);
int sw_font_has_glyph(sw_font *font, uint32_t scalar);
/// Selects the size of the outlines, in pixels per em.
int sw_font_set_size(sw_font *font, int pixels, char *message);
/// The horizontal advance in pixels, rounded.
int sw_font_advance(sw_font *font, uint32_t scalar);
/// Blends a glyph with its origin at (x, baseline) into a picture, clipped to it. Returns the advance in pixels.
int sw_font_draw(
  sw_font *font, uint32_t scalar, int x, int baseline, const uint8_t *color, uint8_t *pixels, int width, int height);
/// The number of fixed bitmap sizes of the font; 0 when it has outlines only.
int sw_font_bitmap_sizes(sw_font *font);
/// The colour bitmap of a glyph on white, in the largest bitmap size of the font.
int sw_font_color_glyph(
  sw_font *font, uint32_t scalar, uint8_t **pixels, int *width, int *height, char *message);
