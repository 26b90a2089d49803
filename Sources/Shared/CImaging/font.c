// Glyphs with FreeType: outlines drawn in one colour, and colour bitmaps. Every font has its own library handle, so
// different fonts may be used on different threads, each on one thread at a time.

#include "imaging.h"
#include <ft2build.h>
#include FT_FREETYPE_H
#include <stdio.h>
#include <stdlib.h>

struct sw_font {
  FT_Library library;
  FT_Face face;
};

static int said(char *message, const char *what, FT_Error error) {
  snprintf(message, SW_MESSAGE_SIZE, "%s (FreeType error %d)", what, (int)error);
  return 1;
}

sw_font *sw_font_open(const char *path, char *message) {
  sw_font *font = calloc(1, sizeof *font);
  if (!font) {
    snprintf(message, SW_MESSAGE_SIZE, "out of memory");
    return NULL;
  }
  FT_Error error = FT_Init_FreeType(&font->library);
  if (!error) {
    error = FT_New_Face(font->library, path, 0, &font->face);
    if (!error) return font;
    FT_Done_FreeType(font->library);
  }
  said(message, "this is not a font that FreeType can read", error);
  free(font);
  return NULL;
}

void sw_font_close(sw_font *font) {
  FT_Done_Face(font->face);
  FT_Done_FreeType(font->library);
  free(font);
}

int sw_font_has_glyph(sw_font *font, uint32_t scalar) {
  return FT_Get_Char_Index(font->face, scalar) != 0;
}

int sw_font_set_size(sw_font *font, int pixels, char *message) {
  FT_Error error = FT_Set_Pixel_Sizes(font->face, 0, (FT_UInt)pixels);
  return error ? said(message, "the font has no outlines of this size", error) : 0;
}

int sw_font_advance(sw_font *font, uint32_t scalar) {
  if (FT_Load_Char(font->face, scalar, FT_LOAD_DEFAULT)) return 0;
  return (int)((font->face->glyph->advance.x + 32) >> 6);
}

int sw_font_draw(
  sw_font *font, uint32_t scalar, int x, int baseline, const uint8_t *color, uint8_t *pixels, int width, int height
) {
  if (FT_Load_Char(font->face, scalar, FT_LOAD_RENDER)) return 0;
  FT_GlyphSlot glyph = font->face->glyph;
  const FT_Bitmap *bitmap = &glyph->bitmap;
  if (bitmap->pixel_mode == FT_PIXEL_MODE_GRAY) {
    for (int row = 0; row < (int)bitmap->rows; ++row) {
      int py = baseline - glyph->bitmap_top + row;
      if (py < 0 || py >= height) continue;
      for (int column = 0; column < (int)bitmap->width; ++column) {
        int px = x + glyph->bitmap_left + column;
        if (px < 0 || px >= width) continue;
        int cover = bitmap->buffer[row * bitmap->pitch + column];
        uint8_t *pixel = pixels + ((size_t)py * width + px) * 3;
        for (int c = 0; c < 3; ++c)
          pixel[c] = (uint8_t)((pixel[c] * (255 - cover) + color[c] * cover + 127) / 255);
      }
    }
  }
  return (int)((glyph->advance.x + 32) >> 6);
}

int sw_font_bitmap_sizes(sw_font *font) { return font->face->num_fixed_sizes; }

int sw_font_color_glyph(
  sw_font *font, uint32_t scalar, uint8_t **pixels, int *width, int *height, char *message
) {
  int best = -1;
  for (int i = 0; i < font->face->num_fixed_sizes; ++i)
    if (best < 0 || font->face->available_sizes[i].height > font->face->available_sizes[best].height) best = i;
  if (best < 0) return said(message, "the font has no bitmaps; use one with colour bitmaps (CBDT)", 0);
  FT_Error error = FT_Select_Size(font->face, best);
  if (error) return said(message, "could not select the bitmap size", error);
  FT_UInt index = FT_Get_Char_Index(font->face, scalar);
  if (!index) return said(message, "the font has no glyph for this character", 0);
  error = FT_Load_Glyph(font->face, index, FT_LOAD_COLOR);
  if (error) return said(message, "could not load the glyph", error);
  const FT_Bitmap *bitmap = &font->face->glyph->bitmap;
  if (bitmap->pixel_mode != FT_PIXEL_MODE_BGRA || !bitmap->width || !bitmap->rows)
    return said(message, "the glyph is not a colour bitmap", 0);
  uint8_t *target = malloc((size_t)bitmap->width * bitmap->rows * 3);
  if (!target) return said(message, "out of memory", 0);
  // The colours of FreeType are premultiplied by alpha.
  for (unsigned y = 0; y < bitmap->rows; ++y)
    for (unsigned x = 0; x < bitmap->width; ++x) {
      const uint8_t *from = bitmap->buffer + (long)y * bitmap->pitch + 4 * x;
      uint8_t *to = target + ((size_t)y * bitmap->width + x) * 3;
      for (int c = 0; c < 3; ++c) {
        int value = from[2 - c] + 255 - from[3];
        to[c] = (uint8_t)(value > 255 ? 255 : value);
      }
    }
  *pixels = target;
  *width = (int)bitmap->width;
  *height = (int)bitmap->rows;
  return 0;
}
