// Convolution over NHWC as products of gathered patches, a block of positions at a time: the patch matrix is never
// whole in memory, and its block stays in cache.
#include "dispatch.h"
#include "kernels.h"
#include "openblas.h"
#include <string.h>

enum { patch_floats = 1 << 17 }; // half a megabyte a thread

// Patches of the output positions begin..<end, a row each: [kernel, kernel, in]
static void gather(const sw_convolution *s, const float *x, int64_t begin, int64_t end, float *patches) {
  const int64_t area = s->out_height * s->out_width, run = s->kernel * s->in;
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
      memcpy(patches + first * s->in, x + ((image * s->height + y) * s->width + left + first) * s->in,
             (last - first) * s->in * sizeof(float));
      if (last < s->kernel) memset(patches + last * s->in, 0, (s->kernel - last) * s->in * sizeof(float));
    }
  }
}

typedef struct {
  const sw_convolution *shape;
  const float *x, *w, *bias, *g;
  float *y;
  int64_t rows;
} convolution_work;

static int64_t positions(const sw_convolution *s) { return s->batch * s->out_height * s->out_width; }

static int is_plain(const sw_convolution *s) {
  return s->kernel == 1 && s->stride == 1 && s->pad_top == 0 && s->pad_left == 0;
}

static int64_t rows_a_block(const sw_convolution *s) {
  const int64_t rows = patch_floats / (s->kernel * s->kernel * s->in + 1) / 16 * 16;
  return rows < 16 ? 16 : rows > 512 ? 512 : rows;
}

static void convolve_blocks(void *context, int64_t begin, int64_t end) {
  const convolution_work *w = context;
  const sw_convolution *s = w->shape;
  const int64_t k = s->kernel * s->kernel * s->in, total = positions(s);
  float *patches = sw_allocate(w->rows * k);
  for (int64_t block = begin; block < end; block++) {
    const int64_t first = block * w->rows, last = first + w->rows < total ? first + w->rows : total;
    gather(s, w->x, first, last, patches);
    float *y = w->y + first * s->out;
    if (w->bias)
      for (int64_t r = 0; r < last - first; r++) memcpy(y + r * s->out, w->bias, s->out * sizeof(float));
    sw_blas_sgemm(0, 1, last - first, s->out, k, 1, patches, k, w->w, k, w->bias ? 1 : 0, y, s->out);
  }
  sw_free(patches);
}

// At least two blocks a thread, so that small images are shared out too.
static int64_t balanced_rows(const sw_convolution *s) {
  const int64_t rows = rows_a_block(s), share = (positions(s) / (2 * sw_threads()) + 15) / 16 * 16;
  return share < 16 ? 16 : rows < share ? rows : share;
}

void sw_conv2d(const sw_convolution *s, const float *x, const float *w, const float *bias, float *y) {
  if (is_plain(s)) {
    sw_linear(positions(s), s->out, s->in, x, w, bias, NULL, y);
    return;
  }
  convolution_work work = {s, x, w, bias, 0, y, balanced_rows(s)};
  sw_parallel((positions(s) + work.rows - 1) / work.rows, 1, convolve_blocks, &work);
}

// gw[out, k] += g[positions, out]^T patches[positions, k]; each thread sums its own blocks, then they are added up in
// the order of the blocks, so that the result does not depend on who finished first.
typedef struct {
  convolution_work work;
  float *partial;
  int64_t parts, blocks;
} weight_work;

static void weight_parts(void *context, int64_t begin, int64_t end) {
  const weight_work *t = context;
  const convolution_work *w = &t->work;
  const sw_convolution *s = w->shape;
  const int64_t k = s->kernel * s->kernel * s->in, total = positions(s);
  float *patches = is_plain(s) ? NULL : sw_allocate(w->rows * k);
  for (int64_t part = begin; part < end; part++) {
    float *gw = part == 0 ? w->y : t->partial + (part - 1) * s->out * k;
    memset(gw, 0, s->out * k * sizeof(float));
    for (int64_t block = t->blocks * part / t->parts; block < t->blocks * (part + 1) / t->parts; block++) {
      const int64_t first = block * w->rows, last = first + w->rows < total ? first + w->rows : total;
      const float *rows = w->x + first * s->in;
      if (patches) {
        gather(s, w->x, first, last, patches);
        rows = patches;
      }
      sw_blas_sgemm(1, 0, s->out, k, last - first, 1, w->g + first * s->out, s->out, rows, k, 1, gw, k);
    }
  }
  if (patches) sw_free(patches);
}

void sw_conv2d_weight_gradient(const sw_convolution *s, const float *x, const float *g, float *gw) {
  const int64_t k = s->kernel * s->kernel * s->in;
  weight_work t = {{s, x, 0, 0, g, gw, balanced_rows(s)}, NULL, 1, 0};
  t.blocks = (positions(s) + t.work.rows - 1) / t.work.rows;
  t.parts = sw_threads() < t.blocks ? sw_threads() : t.blocks;
  if (t.parts > 1) t.partial = sw_allocate((t.parts - 1) * s->out * k);
  sw_parallel(t.parts, 1, weight_parts, &t);
  for (int64_t part = 1; part < t.parts; part++) sw_axpy(s->out * k, 1, t.partial + (part - 1) * s->out * k, gw);
  if (t.partial) sw_free(t.partial);
}

void sw_conv2d_rotate(int64_t out, int64_t kernel, int64_t in, const float *w, float *rotated) {
  const int64_t area = kernel * kernel;
  for (int64_t o = 0; o < out; o++)
    for (int64_t a = 0; a < area; a++)
      for (int64_t i = 0; i < in; i++) rotated[(i * area + area - 1 - a) * out + o] = w[(o * area + a) * in + i];
}
