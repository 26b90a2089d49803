// Shared by the Winograd kernels: how an image is divided into tiles, and the memory layout of the 36 points of a tile.
#pragma once
#include "block_product.h"
#include "dispatch.h"
#include "kernels.h"

enum {
  winograd_points = 36,
  winograd_channels = 64,            // channels per block: 64 x 64 weights of one point, 16 KiB, stay in the L1 cache
  winograd_pad = sw_block_columns,   // makes the 36 points start in different cache sets
};

#define LANES 1
#include "winograd_transforms.h"
#define LANES 4
#include "winograd_transforms.h"
#define LANES 8
#include "winograd_transforms.h"
#define LANES 16
#include "winograd_transforms.h"

/// The tiles of 4x4 results of all images of a batch.
typedef struct {
  int64_t across, an_image, all;
} winograd_tiles;

SW_INLINE winograd_tiles winograd_tiles_of(const sw_convolution *s) {
  const int64_t across = (s->out_width + 3) / 4, down = (s->out_height + 3) / 4;
  return (winograd_tiles){across, across * down, across * down * s->batch};
}

/// The position of a tile: its image, and the row and column of its first result.
typedef struct {
  int64_t image, row, column;
} winograd_place;

SW_INLINE winograd_place winograd_place_of(const winograd_tiles *t, int64_t tile) {
  const int64_t inside = tile % t->an_image;
  return (winograd_place){tile / t->an_image, inside / t->across * 4, inside % t->across * 4};
}

/// The layout [channel block][36][row][channel in the block]; rows are tiles or weights.
typedef struct {
  int64_t width, point, block; // distances in floats from row to row, point to point and block to block
} winograd_layout;

SW_INLINE int64_t winograd_width(int64_t channels) {
  const int64_t padded = (channels + sw_block_columns - 1) / sw_block_columns * sw_block_columns;
  return padded < winograd_channels ? padded : winograd_channels;
}

SW_INLINE int64_t winograd_blocks(int64_t channels) { return (channels + winograd_channels - 1) / winograd_channels; }

/// The number of channels in a block; the last block may be smaller.
SW_INLINE int64_t winograd_depth(int64_t channels, int64_t block) {
  const int64_t left = channels - block * winograd_channels;
  return left < winograd_channels ? left : winograd_channels;
}

SW_INLINE winograd_layout winograd_layout_of(int64_t rows, int64_t channels) {
  const int64_t width = winograd_width(channels), point = rows * width + winograd_pad;
  return (winograd_layout){width, point, winograd_points * point};
}

/// Writes B^T d B of the tiles first + begin ..< first + end to the rows begin ..< end of v; `zeros` has s->in
/// elements.
void winograd_input(const sw_convolution *s, const winograd_tiles *t, int64_t first, int64_t begin, int64_t end,
                    const float *x, const float *zeros, const winograd_layout *layout, float *v);

/// u[36][depth][columns] = G w G^T for one block of inputs and the outputs from `out`, and zero beyond the last output.
/// For w and `transposed` see sw_winograd. `point` is the distance in floats from point to point.
void winograd_weights(const sw_convolution *s, const float *w, int transposed, int64_t block, int64_t out,
                      int64_t columns, int64_t point, float *u);

/// A convolution of 3x3 and stride 1 with any padding. w is [out, 3, 3, in]; with `transposed` it is [in, 3, 3, out]
/// and is rotated by 180 degrees, which gives the gradient with respect to the input.
void sw_winograd(const sw_convolution *s, const float *x, const float *w, int transposed, sw_convolution_terms terms,
                 float *y);

/// gw[out, 3, 3, in] for g with the shape of the result.
void sw_winograd_weight_gradient(const sw_convolution *s, const float *x, const float *g, float *gw);
