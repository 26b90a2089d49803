// The gradient of the weights of 3x3 convolutions of stride 1, as the adjoint of Winograd's F(4x4, 3x3):
//
//     gw = G^T [ sum over tiles of (A g A^T) (B^T d B) ] G
//
// It takes a quarter of the multiplications of the direct sum over positions. Memory holds at most 256 tiles at a time,
// and the sums of all 36 points (four times the size of the weights). The order of the sums does not depend on the
// number of threads.
#include "winograd.h"
#include <string.h>

enum { gradient_floats = 4 << 20, gradient_most_tiles = 256, gradient_fewest_tiles = 48, tiles_a_product = 64 };

typedef struct {
  const sw_convolution *s;
  const float *x, *g, *zeros;
  float *gw;
  winograd_tiles tiles;
  int64_t first, count; // the current tiles
  winograd_layout inputs, outputs, sums; // sums: one block per pair of channel blocks; rows are outputs
  float *v, *d, *u;
} gradient_work;

// A g A^T of the current tiles: 4x4 gradients per tile, zeros outside the image
SW_KERNEL static void transform_gradients(const gradient_work *w, int64_t begin, int64_t end) {
  const sw_convolution *s = w->s;
  const float *source[16];
  for (int64_t tile = begin; tile < end; tile++) {
    const winograd_place p = winograd_place_of(&w->tiles, w->first + tile);
    const float *g = w->g + ((p.image * s->out_height + p.row) * s->out_width + p.column) * s->out;
    for (int i = 0; i < 4; i++)
      for (int j = 0; j < 4; j++)
        source[i * 4 + j] = p.row + i < s->out_height && p.column + j < s->out_width
                                ? g + (i * s->out_width + j) * s->out
                                : w->zeros;
    for (int64_t block = 0; block < winograd_blocks(s->out); block++) {
      const int64_t channel = block * winograd_channels, depth = winograd_depth(s->out, block);
      const int64_t point = w->outputs.point;
      float *row = w->d + block * w->outputs.block + tile * w->outputs.width;
      int64_t c = 0;
      for (; c + 16 <= depth; c += 16) transform_output_gradient_16(source, channel + c, row + c, point);
      if (c + 8 <= depth) transform_output_gradient_8(source, channel + c, row + c, point), c += 8;
      if (c + 4 <= depth) transform_output_gradient_4(source, channel + c, row + c, point), c += 4;
      for (; c < depth; c++) transform_output_gradient_1(source, channel + c, row + c, point);
    }
  }
}

static void transform_tiles(void *context, int64_t begin, int64_t end) {
  const gradient_work *w = context;
  winograd_input(w->s, &w->tiles, w->first, begin, end, w->x, w->zeros, &w->inputs, w->v);
  transform_gradients(w, begin, end);
}

// sums[output, input] += d[tile, output]^T v[tile, input]; begin ..< end counts the points of pairs of channel blocks
static void add_products(void *context, int64_t begin, int64_t end) {
  const gradient_work *w = context;
  const int64_t in_blocks = winograd_blocks(w->s->in);
  for (int64_t unit = begin; unit < end; unit++) {
    const int64_t pair = unit / winograd_points, p = unit % winograd_points;
    const int64_t out = pair / in_blocks, in = pair % in_blocks;
    const float *d = w->d + out * w->outputs.block + p * w->outputs.point;
    const float *v = w->v + in * w->inputs.block + p * w->inputs.point;
    for (int64_t tile = 0; tile < w->count; tile += tiles_a_product)
      sw_multiply_block(&(sw_block_product){
          winograd_depth(w->s->out, out), winograd_width(winograd_depth(w->s->in, in)),
          w->count - tile < tiles_a_product ? w->count - tile : tiles_a_product, d + tile * w->outputs.width,
          v + tile * w->inputs.width, w->u + pair * w->sums.block + p * w->sums.point, 1, w->outputs.width,
          w->inputs.width, w->sums.width, w->first + tile > 0});
  }
}

// G^T u G of the outputs begin ..< end
SW_KERNEL static void transform_sums(const gradient_work *w, int64_t begin, int64_t end) {
  const int64_t in = w->s->in, in_blocks = winograd_blocks(in);
  for (int64_t o = begin; o < end; o++)
    for (int64_t block = 0; block < in_blocks; block++) {
      const int64_t pair = o / winograd_channels * in_blocks + block, depth = winograd_depth(in, block);
      const float *u = w->u + pair * w->sums.block + o % winograd_channels * w->sums.width;
      float *gw = w->gw + o * 9 * in + block * winograd_channels;
      int64_t c = 0;
      for (; c + 16 <= depth; c += 16) transform_weight_gradient_16(u + c, w->sums.point, gw + c, in);
      if (c + 8 <= depth) transform_weight_gradient_8(u + c, w->sums.point, gw + c, in), c += 8;
      if (c + 4 <= depth) transform_weight_gradient_4(u + c, w->sums.point, gw + c, in), c += 4;
      for (; c < depth; c++) transform_weight_gradient_1(u + c, w->sums.point, gw + c, in);
    }
}

static void transform_back(void *context, int64_t begin, int64_t end) { transform_sums(context, begin, end); }

void sw_winograd_weight_gradient(const sw_convolution *s, const float *x, const float *g, float *gw) {
  gradient_work w = {.s = s, .x = x, .g = g, .gw = gw, .tiles = winograd_tiles_of(s)};
  if (w.tiles.all == 0) {
    memset(gw, 0, s->out * 9 * s->in * sizeof(float));
    return;
  }
  int64_t most = gradient_floats / (winograd_points * (s->in + s->out));
  most = most < gradient_fewest_tiles ? gradient_fewest_tiles : most > gradient_most_tiles ? gradient_most_tiles : most;
  const int64_t rounds = (w.tiles.all + most - 1) / most, rows = (w.tiles.all + rounds - 1) / rounds;
  const int64_t pairs = winograd_blocks(s->in) * winograd_blocks(s->out);
  w.inputs = winograd_layout_of(rows, s->in);
  w.outputs = winograd_layout_of(rows, s->out);
  w.sums = winograd_layout_of(winograd_channels, s->in);
  w.v = sw_allocate(winograd_blocks(s->in) * w.inputs.block);
  w.d = sw_allocate(winograd_blocks(s->out) * w.outputs.block);
  w.u = sw_allocate(pairs * w.sums.block);
  const int64_t widest = s->in > s->out ? s->in : s->out;
  float *zeros = sw_allocate(widest);
  memset(zeros, 0, widest * sizeof(float));
  w.zeros = zeros;
  for (; w.first < w.tiles.all; w.first += rows) {
    w.count = w.tiles.all - w.first < rows ? w.tiles.all - w.first : rows;
    sw_parallel(w.count, 4, transform_tiles, &w);
    sw_parallel(pairs * winograd_points, 1, add_products, &w);
  }
  sw_parallel(s->out, 4, transform_back, &w);
  sw_free(zeros);
  sw_free(w.u);
  sw_free(w.d);
  sw_free(w.v);
}
