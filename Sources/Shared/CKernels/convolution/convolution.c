// Convolution over NHWC. 3x3 kernels of stride 1 use Winograd's algorithm (winograd.c); all others are products with a
// matrix of gathered patches, of which only some megabytes are in memory at a time.
#include "kernels.h"
#include "winograd.h"
#include <string.h>

enum { patch_floats = 1 << 21, fewest_rows = 64, most_rows = 2048 };

// Patches of the output positions begin..<end, one per row: [kernel, kernel, in]
static void gather(const sw_convolution *s, const float *x, int64_t begin, int64_t end, float *patches) {
  const int64_t area = s->out_height * s->out_width, run = s->kernel * s->in;
  const int64_t shift = s->doubled ? 1 : 0, line = s->width >> shift, image_area = line * (s->height >> shift);
  for (int64_t p = begin; p < end; p++) {
    const int64_t image = p / area, row = p % area / s->out_width, column = p % s->out_width;
    const int64_t left = column * s->stride - s->pad_left, top = row * s->stride - s->pad_top;
    const int64_t first = left < 0 ? -left : 0;
    const int64_t last = left + s->kernel > s->width ? s->width - left : s->kernel;
    for (int64_t i = 0; i < s->kernel; i++, patches += run) {
      const int64_t y = top + i;
      if (y < 0 || y >= s->height || last <= first) {
        memset(patches, 0, run * sizeof(float));
        continue;
      }
      if (first > 0) memset(patches, 0, first * s->in * sizeof(float));
      const float *from = x + (image * image_area + (y >> shift) * line) * s->in;
      if (shift)
        for (int64_t j = first; j < last; j++)
          memcpy(patches + j * s->in, from + ((left + j) >> 1) * s->in, s->in * sizeof(float));
      else memcpy(patches + first * s->in, from + (left + first) * s->in, (last - first) * s->in * sizeof(float));
      if (last < s->kernel) memset(patches + last * s->in, 0, (s->kernel - last) * s->in * sizeof(float));
    }
  }
}

static int64_t positions(const sw_convolution *s) { return s->batch * s->out_height * s->out_width; }

static int is_plain(const sw_convolution *s) {
  return s->kernel == 1 && s->stride == 1 && s->pad_top == 0 && s->pad_left == 0 && !s->doubled;
}

// The tiles of 4x4 results must cover mostly real positions: for an image of one row, a tile computes four rows.
static int is_winograd(const sw_convolution *s) {
  const int64_t tiles = ((s->out_height + 3) / 4) * ((s->out_width + 3) / 4);
  return s->kernel == 3 && s->stride == 1 && 5 * tiles < s->out_height * s->out_width;
}

// With few positions, transforming the sums of all weights costs more than it saves; with few channels, padding them to
// sixteen does.
static int is_winograd_gradient(const sw_convolution *s) {
  return is_winograd(s) && s->in >= 8 && positions(s) >= 512;
}

// With a shift, the results are initialized to shift + residual, and the product is added.
static void begin_rows(const sw_convolution *s, const sw_convolution_terms *terms, int64_t first, int64_t last,
                       float *y) {
  const int64_t area = s->out_height * s->out_width, out = s->out;
  for (int64_t p = first; p < last; p++, y += out) {
    memcpy(y, terms->shift + p / area * out, out * sizeof(float));
    if (terms->residual)
      for (int64_t o = 0; o < out; o++) y[o] += terms->residual[p * out + o];
  }
}

typedef struct {
  const sw_convolution *shape;
  const float *x;
  sw_convolution_terms terms;
  float *y, *patches;
  int64_t first;
} convolution_work;

static int64_t patch_size(const sw_convolution *s) { return s->kernel * s->kernel * s->in; }

// Rows per product: many, because each product reads all weights.
static int64_t rows_a_product(const sw_convolution *s) {
  const int64_t rows = patch_floats / (patch_size(s) + 1) / 16 * 16;
  return rows < fewest_rows ? fewest_rows : rows > most_rows ? most_rows : rows;
}

static void prepare_rows(void *context, int64_t begin, int64_t end) {
  const convolution_work *w = context;
  const sw_convolution *s = w->shape;
  if (w->patches) gather(s, w->x, w->first + begin, w->first + end, w->patches + begin * patch_size(s));
  if (w->y) begin_rows(s, &w->terms, w->first + begin, w->first + end, w->y + (w->first + begin) * s->out);
}

void sw_conv2d(const sw_convolution *s, const float *x, const float *w, sw_convolution_terms terms, float *y) {
  if (is_winograd(s)) {
    sw_winograd(s, x, w, 0, terms, y);
    return;
  }
  if (is_plain(s) && !terms.shift) {
    sw_linear(positions(s), s->out, s->in, x, w, NULL, terms.bias, terms.residual, y, s->out);
    return;
  }
  const int64_t total = positions(s), k = patch_size(s), most = rows_a_product(s) < total ? rows_a_product(s) : total;
  convolution_work work = {s, x, terms, terms.shift ? y : NULL, is_plain(s) ? NULL : sw_allocate(most * k), 0};
  const float *add = terms.shift ? y : terms.residual;
  for (; work.first < total; work.first += most) {
    const int64_t rows = total - work.first < most ? total - work.first : most, at = work.first * s->out;
    sw_parallel(rows, 8, prepare_rows, &work);
    sw_linear(rows, s->out, k, work.patches ? work.patches : x + work.first * k, w, NULL, terms.bias,
              add ? add + at : NULL, y + at, s->out);
  }
  if (work.patches) sw_free(work.patches);
}

// w[out, kernel, kernel, in] -> [in, kernel, kernel, out], rotated by 180 degrees
static void rotate(const sw_convolution *s, const float *w, float *rotated) {
  const int64_t area = s->kernel * s->kernel, in = s->in, out = s->out;
  for (int64_t o = 0; o < out; o++)
    for (int64_t a = 0; a < area; a++)
      for (int64_t i = 0; i < in; i++) rotated[(i * area + area - 1 - a) * out + o] = w[(o * area + a) * in + i];
}

// Inserts stride - 1 zeros between the positions of g
static void dilate(const sw_convolution *s, int64_t height, int64_t width, const float *g, float *y) {
  memset(y, 0, s->batch * height * width * s->out * sizeof(float));
  for (int64_t line = 0; line < s->batch * s->out_height; line++) {
    const int64_t row = line / s->out_height * height + line % s->out_height * s->stride;
    for (int64_t column = 0; column < s->out_width; column++, g += s->out)
      memcpy(y + (row * width + column * s->stride) * s->out, g, s->out * sizeof(float));
  }
}

// The gradient is the convolution of g, with zeros between its positions for strides above one, with the weights
// rotated by 180 degrees.
void sw_conv2d_input_gradient(const sw_convolution *s, const float *w, const float *g, float *gx) {
  if (is_plain(s)) {
    sw_linear_gradient(positions(s), s->out, s->in, g, s->out, w, NULL, NULL, gx);
    return;
  }
  const int64_t height = (s->out_height - 1) * s->stride + 1, width = (s->out_width - 1) * s->stride + 1;
  const sw_convolution back = {
      s->batch, height, width, s->out, s->in, s->kernel, 1, s->kernel - 1 - s->pad_top, s->kernel - 1 - s->pad_left,
      s->height, s->width, 0};
  float *dilated = NULL, *rotated = NULL;
  if (s->stride > 1) {
    dilated = sw_allocate(s->batch * height * width * s->out);
    dilate(s, height, width, g, dilated);
    g = dilated;
  }
  if (is_winograd(&back)) sw_winograd(&back, g, w, 1, (sw_convolution_terms){0}, gx);
  else {
    rotated = sw_allocate(s->out * s->kernel * s->kernel * s->in);
    rotate(s, w, rotated);
    sw_conv2d(&back, g, rotated, (sw_convolution_terms){0}, gx);
    sw_free(rotated);
  }
  if (dilated) sw_free(dilated);
}

// gw[out, k] += g[positions, out]^T patches[positions, k]
static void direct_weight_gradient(const sw_convolution *s, const float *x, const float *g, float *gw) {
  const int64_t total = positions(s), k = patch_size(s), most = rows_a_product(s) < total ? rows_a_product(s) : total;
  convolution_work work = {s, x, {0}, NULL, is_plain(s) ? NULL : sw_allocate(most * k), 0};
  memset(gw, 0, s->out * k * sizeof(float));
  for (; work.first < total; work.first += most) {
    const int64_t rows = total - work.first < most ? total - work.first : most;
    if (work.patches) sw_parallel(rows, 8, prepare_rows, &work);
    sw_gemm(1, 0, s->out, k, rows, 1, g + work.first * s->out, s->out,
            work.patches ? work.patches : x + work.first * k, k, gw, gw, k);
  }
  if (work.patches) sw_free(work.patches);
}

void sw_conv2d_weight_gradient(const sw_convolution *s, const float *x, const float *g, float *gw) {
  if (is_winograd_gradient(s)) sw_winograd_weight_gradient(s, x, g, gw);
  else direct_weight_gradient(s, x, g, gw);
}
