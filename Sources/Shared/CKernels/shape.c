// Permutations, copies, gathers and sums.
#include "dispatch.h"
#include "kernels.h"
#include <string.h>

enum { grain = 8192 };

// Permutation: y is written in order, and x is read with strides -----------------------------------------------------

typedef struct {
  int rank;
  const int64_t *shape, *stride;
  const float *x;
  float *y;
} permute_work;

static void permute_rows(void *context, int64_t begin, int64_t end) {
  const permute_work *w = context;
  const int last = w->rank - 1;
  const int64_t n = w->shape[last], step = w->stride[last];
  for (int64_t r = begin; r < end; r++) {
    int64_t rest = r, at = 0;
    for (int axis = last - 1; axis >= 0; axis--) {
      at += rest % w->shape[axis] * w->stride[axis];
      rest /= w->shape[axis];
    }
    const float *x = w->x + at;
    float *y = w->y + r * n;
    if (step == 1) memcpy(y, x, n * sizeof(float));
    else
      for (int64_t i = 0; i < n; i++) y[i] = x[i * step];
  }
}

void sw_permute(int rank, const int64_t *shape, const int64_t *stride, const float *x, float *y) {
  int64_t outer = 1;
  for (int axis = 0; axis < rank - 1; axis++) outer *= shape[axis];
  permute_work w = {rank, shape, stride, x, y};
  sw_parallel(outer, 1 + grain / (shape[rank - 1] + 1), permute_rows, &w);
}

void sw_copy_rows(int64_t rows, int64_t columns, const float *x, int64_t stride_x, float *y, int64_t stride_y) {
  for (int64_t r = 0; r < rows; r++) memcpy(y + r * stride_y, x + r * stride_x, columns * sizeof(float));
}

void sw_scatter_add_rows(int64_t count, int64_t width, const int64_t *rows, const float *x, float *y) {
  for (int64_t i = 0; i < count; i++) sw_axpy(width, 1, x + i * width, y + rows[i] * width);
}

// Sums ---------------------------------------------------------------------------------------------------------------

typedef struct {
  int64_t reduced, inner;
  const float *x;
  float *y;
} sum_work;

SW_KERNEL static float sum_run(int64_t n, const float *x) {
  SW_REASSOCIATE
  float sum = 0;
  for (int64_t i = 0; i < n; i++) sum += x[i];
  return sum;
}

// Long runs are summed in float within blocks and in double over the blocks, which keeps the rounding error small.
static float sum_blocks(int64_t n, const float *x) {
  double sum = 0;
  for (int64_t i = 0; i < n; i += 4096) sum += sum_run(n - i < 4096 ? n - i : 4096, x + i);
  return (float)sum;
}

static void sum_runs(void *context, int64_t begin, int64_t end) {
  const sum_work *w = context;
  for (int64_t r = begin; r < end; r++) w->y[r] = sum_blocks(w->reduced, w->x + r * w->reduced);
}

static void sum_columns(void *context, int64_t begin, int64_t end) {
  const sum_work *w = context;
  for (int64_t o = begin; o < end; o++) {
    float *y = w->y + o * w->inner;
    memset(y, 0, w->inner * sizeof(float));
    for (int64_t r = 0; r < w->reduced; r++) sw_axpy(w->inner, 1, w->x + (o * w->reduced + r) * w->inner, y);
  }
}

void sw_sum(int64_t outer, int64_t reduced, int64_t inner, const float *x, float *y) {
  sum_work w = {reduced, inner, x, y};
  sw_parallel(outer, 1 + grain / (reduced * inner + 1), inner == 1 ? sum_runs : sum_columns, &w);
}

// Gradient of nearest-neighbour doubling, NHWC -----------------------------------------------------------------------

typedef struct {
  int64_t width, channels;
  const float *x;
  float *y;
} doubling_work;

SW_KERNEL static void add_four(int64_t n, const float *restrict a, const float *restrict b, const float *restrict c,
                               const float *restrict d, float *restrict y) {
  for (int64_t i = 0; i < n; i++) y[i] = (a[i] + b[i]) + (c[i] + d[i]);
}

static void downsum_lines(void *context, int64_t begin, int64_t end) {
  const doubling_work *w = context;
  const int64_t c = w->channels, line = w->width * c;
  for (int64_t r = begin; r < end; r++)
    for (int64_t i = 0; i < w->width; i++) {
      const float *g = w->x + r * 4 * line + 2 * i * c;
      add_four(c, g, g + c, g + 2 * line, g + 2 * line + c, w->y + r * line + i * c);
    }
}

void sw_doubling_gradient(int64_t batch, int64_t height, int64_t width, int64_t channels, const float *g, float *gx) {
  doubling_work w = {width, channels, g, gx};
  sw_parallel(batch * height, 1 + grain / (4 * width * channels + 1), downsum_lines, &w);
}
