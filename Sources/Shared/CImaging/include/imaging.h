// Pictures in memory: PNG and JPEG, Pillow's resampling, glyphs. 8-bit RGB, rows from the top, no padding.
// Functions that can fail return 0 for success and otherwise fill `message`; buffers they hand out are malloc's.
#pragma once
#include <stddef.h>
#include <stdint.h>

enum { SW_MESSAGE_SIZE = 256 };
/// The largest picture read, in pixels: a header that promises more is refused before memory is reserved.
enum { SW_MAXIMUM_PIXELS = 1 << 28 };

/// Alpha is composited on white; palettes, grey levels and 16 bits are converted.
int sw_png_decode(
  const uint8_t *bytes, size_t count, uint8_t **pixels, int *width, int *height, char *message);
int sw_png_encode(
  const uint8_t *pixels, int width, int height, uint8_t **bytes, size_t *count, char *message);

/// Grey and YCbCr pictures; CMYK is refused.
int sw_jpeg_decode(
  const uint8_t *bytes, size_t count, uint8_t **pixels, int *width, int *height, char *message);
/// 4:2:0 and libjpeg's standard Huffman tables, as Pillow's default: the same bytes for the same library.
int sw_jpeg_encode(
  const uint8_t *pixels, int width, int height, int quality, uint8_t **bytes, size_t *count, char *message);

/// Pillow's antialiased bicubic resampling of 8-bit pictures, to the bit. Returns nonzero when memory is short.
int sw_resize_bicubic(
  const uint8_t *source, int width, int height, uint8_t *target, int target_width, int target_height);

/// Samples with bilinear weights at affine places, white outside: target (x, y) takes the source at
/// (m0 x + m1 y + m2, m3 x + m4 y + m5), pixel centres at integers.
void sw_warp(
  const uint8_t *source, int width, int height, uint8_t *target, int target_width, int target_height,
  const double *matrix);

typedef struct sw_font sw_font;
sw_font *sw_font_open(const char *path, char *message);
void sw_font_close(sw_font *font);
int sw_font_has_glyph(sw_font *font, uint32_t scalar);
/// Selects the size of outlines in pixels an em.
int sw_font_set_size(sw_font *font, int pixels, char *message);
/// Horizontal advance in pixels, rounded.
int sw_font_advance(sw_font *font, uint32_t scalar);
/// Blends a glyph into a picture, clipped to it, its origin at (x, baseline). Returns the advance in pixels.
int sw_font_draw(
  sw_font *font, uint32_t scalar, int x, int baseline, const uint8_t *color, uint8_t *pixels, int width, int height);
/// Number of the font's fixed bitmap sizes; 0 for outlines alone.
int sw_font_bitmap_sizes(sw_font *font);
/// A colour bitmap on white, in the font's largest bitmap size.
int sw_font_color_glyph(
  sw_font *font, uint32_t scalar, uint8_t **pixels, int *width, int *height, char *message);
