// Convolutions of 3x3 and stride 1 by Winograd's F(4x4, 3x3) over NHWC: the transforms of winograd_transforms.h, and 36
// products between them. Inputs are transformed at most 144 tiles at a time, and weights 64 by 64 channels at a time,
// immediately before their products, so that neither a whole transformed image nor all transformed weights (four times
// the size of the weights) are ever in memory. The order of operations does not depend on the number of threads.
#include "winograd.h"
#include <string.h>

enum { transformed_floats = 4 << 20, most_tiles = 144, fewest_tiles = 48 };

// Inputs -------------------------------------------------------------------------------------------------------------

// The addresses of the 6x6 inputs of a tile; outside the image, the address of `zeros`. A doubled image is read at half
// the coordinates.
static void find_sources(const sw_convolution *s, winograd_place place, const float *x, const float *zeros,
                         const float *source[36]) {
  const int shift = s->doubled ? 1 : 0;
  const int64_t width = s->width >> shift, area = width * (s->height >> shift);
  int64_t offset[6];
  for (int j = 0; j < 6; j++) {
    const int64_t column = place.column - s->pad_left + j;
    offset[j] = column < 0 || column >= s->width ? -1 : (column >> shift) * s->in;
  }
  for (int i = 0; i < 6; i++) {
    const int64_t row = place.row - s->pad_top + i;
    const int outside = row < 0 || row >= s->height;
    const float *line = x + (place.image * area + (row >> shift) * width) * s->in;
    for (int j = 0; j < 6; j++) source[i * 6 + j] = outside || offset[j] < 0 ? zeros : line + offset[j];
  }
}

SW_KERNEL void winograd_input(const sw_convolution *s, const winograd_tiles *t, int64_t first, int64_t begin,
                              int64_t end, const float *x, const float *zeros, const winograd_layout *layout,
                              float *v) {
  const float *source[36];
  for (int64_t tile = begin; tile < end; tile++) {
    find_sources(s, winograd_place_of(t, first + tile), x, zeros, source);
    for (int64_t block = 0; block < winograd_blocks(s->in); block++) {
      const int64_t channel = block * winograd_channels, depth = winograd_depth(s->in, block);
      float *row = v + block * layout->block + tile * layout->width;
      int64_t c = 0;
      for (; c + 16 <= depth; c += 16) transform_input_16(source, channel + c, row + c, layout->point);
      if (c + 8 <= depth) transform_input_8(source, channel + c, row + c, layout->point), c += 8;
      if (c + 4 <= depth) transform_input_4(source, channel + c, row + c, layout->point), c += 4;
      for (; c < depth; c++) transform_input_1(source, channel + c, row + c, layout->point);
    }
  }
}

// Outputs ------------------------------------------------------------------------------------------------------------

typedef struct {
  const sw_convolution *s;
  const float *x, *w, *zeros;
  sw_convolution_terms terms;
  float *y;
  int transposed; // see sw_winograd
  winograd_tiles tiles;
  int64_t first, count; // the current tiles
  winograd_layout inputs;
  float *v;
} winograd_work;

// Writes the outputs out ..< out + depth of the current tiles begin ..< end
SW_KERNEL static void transform_outputs(const winograd_work *w, int64_t begin, int64_t end, int64_t out,
                                        int64_t depth, int64_t columns, int64_t point, const float *m) {
  const sw_convolution *s = w->s;
  const int64_t row = s->out_width * s->out;
  for (int64_t tile = begin; tile < end; tile++, m += columns) {
    const winograd_place p = winograd_place_of(&w->tiles, w->first + tile);
    const int64_t at = ((p.image * s->out_height + p.row) * s->out_width + p.column) * s->out + out;
    const int64_t down = s->out_height - p.row, across = s->out_width - p.column;
    const float *bias = w->terms.bias ? w->terms.bias + out : NULL;
    const float *shift = w->terms.shift ? w->terms.shift + p.image * s->out + out : NULL;
    const float *residual = w->terms.residual ? w->terms.residual + at : NULL;
    int64_t c = 0;
#define PLACE(LANES)                                                                                                   \
  place_outputs_##LANES(m + c, point, bias ? bias + c : NULL, shift ? shift + c : NULL,                                \
                        residual ? residual + c : NULL, w->y + at + c, row, s->out, down, across)
    for (; c + 16 <= depth; c += 16) PLACE(16);
    if (c + 8 <= depth) PLACE(8), c += 8;
    if (c + 4 <= depth) PLACE(4), c += 4;
    for (; c < depth; c++) PLACE(1);
#undef PLACE
  }
}

// Convolution --------------------------------------------------------------------------------------------------------

static void transform_inputs(void *context, int64_t begin, int64_t end) {
  const winograd_work *w = context;
  winograd_input(w->s, &w->tiles, w->first, begin, end, w->x, w->zeros, &w->inputs, w->v);
}

// In a doubled image, pairs of neighbours are equal. With this padding the third row of B^T, 4 (d1 - d2) - (d3 - d4),
// takes their differences, so its results are zero and 11 of the 36 products can be left out.
static int vanishes(const sw_convolution *s, int point) {
  return s->doubled && ((point / 6 == 2 && s->pad_top == 1) || (point % 6 == 2 && s->pad_left == 1));
}

// The results of the current tiles begin ..< end for one block of outputs
static void convolve_block(const winograd_work *w, int64_t out, int64_t begin, int64_t end, float *scratch) {
  const int64_t depth = winograd_depth(w->s->out, out), columns = winograd_width(depth), tiles = end - begin;
  const int64_t u_point = winograd_channels * columns + winograd_pad, m_point = tiles * columns + winograd_pad;
  float *u = scratch, *m = scratch + winograd_points * u_point;
  for (int64_t block = 0; block < winograd_blocks(w->s->in); block++) {
    winograd_weights(w->s, w->w, w->transposed, block, out * winograd_channels, columns, u_point, u);
    const float *v = w->v + block * w->inputs.block + begin * w->inputs.width;
    for (int p = 0; p < winograd_points; p++)
      if (!vanishes(w->s, p))
        sw_multiply_block(&(sw_block_product){
            tiles, columns, winograd_depth(w->s->in, block), v + p * w->inputs.point, u + p * u_point, m + p * m_point,
            w->inputs.width, 1, columns, columns, block > 0});
      else if (block == 0) memset(m + p * m_point, 0, tiles * columns * sizeof(float));
  }
  transform_outputs(w, begin, end, out * winograd_channels, depth, columns, m_point, m);
}

// begin ..< end counts all current tiles once per block of outputs
static void convolve_blocks(void *context, int64_t begin, int64_t end) {
  const winograd_work *w = context;
  const int64_t width = winograd_width(w->s->out), most = end - begin < w->count ? end - begin : w->count;
  float *scratch = sw_allocate(winograd_points * ((winograd_channels + most) * width + 2 * winograd_pad));
  while (begin < end) {
    const int64_t tile = begin % w->count, stop = w->count - tile < end - begin ? w->count : tile + end - begin;
    convolve_block(w, begin / w->count, tile, stop, scratch);
    begin += stop - tile;
  }
  sw_free(scratch);
}

void sw_winograd(const sw_convolution *s, const float *x, const float *w, int transposed, sw_convolution_terms terms,
                 float *y) {
  winograd_work work = {s, x, w, NULL, terms, y, transposed, winograd_tiles_of(s), 0, 0, {0}, NULL};
  int64_t most = transformed_floats / (winograd_points * s->in);
  most = most < fewest_tiles ? fewest_tiles : most > most_tiles ? most_tiles : most;
  const int64_t rounds = (work.tiles.all + most - 1) / most;
  const int64_t rows = rounds > 0 ? (work.tiles.all + rounds - 1) / rounds : 0;
  work.inputs = winograd_layout_of(rows, s->in);
  work.v = sw_allocate(winograd_blocks(s->in) * work.inputs.block);
  float *zeros = sw_allocate(s->in);
  memset(zeros, 0, s->in * sizeof(float));
  work.zeros = zeros;
  for (; work.first < work.tiles.all; work.first += rows) {
    work.count = work.tiles.all - work.first < rows ? work.tiles.all - work.first : rows;
    sw_parallel(work.count, 4, transform_inputs, &work);
    sw_parallel(work.count * winograd_blocks(s->out), 4, convolve_blocks, &work);
  }
  sw_free(zeros);
  sw_free(work.v);
}
