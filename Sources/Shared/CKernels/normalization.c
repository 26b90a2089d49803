// Softmax and layer norm: values and gradients.
#include "functions.h"
#include "kernels.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { grain = 8192 };

// Softmax ------------------------------------------------------------------------------------------------------------

typedef struct {
  int64_t columns;
  int logarithm;
  const float *x, *g;
  float *y;
} softmax_work;

SW_KERNEL static void softmax_row(int64_t n, int logarithm, const float *restrict x, float *restrict y) {
  SW_REASSOCIATE
  const float top = sw_largest(n, x, x[0]);
  float sum = 0;
  for (int64_t i = 0; i < n; i++) {
    y[i] = sw_expf(x[i] - top);
    sum += y[i];
  }
  if (logarithm) {
    const float shift = top + logf(sum);
    for (int64_t i = 0; i < n; i++) y[i] = x[i] - shift;
  } else {
    const float scale = 1.0f / sum;
    for (int64_t i = 0; i < n; i++) y[i] *= scale;
  }
}

// softmax: gx = y (g - sum(g y)); log-softmax: gx = g - exp(y) sum(g)
SW_KERNEL static void softmax_gradient_row(int64_t n, int logarithm, const float *restrict y, const float *restrict g,
                                           float *restrict gx) {
  SW_REASSOCIATE
  float sum = 0;
  if (logarithm) {
    for (int64_t i = 0; i < n; i++) sum += g[i];
    for (int64_t i = 0; i < n; i++) gx[i] = g[i] - sw_expf(y[i]) * sum;
  } else {
    for (int64_t i = 0; i < n; i++) sum += g[i] * y[i];
    for (int64_t i = 0; i < n; i++) gx[i] = y[i] * (g[i] - sum);
  }
}

static void softmax_part(void *context, int64_t begin, int64_t end) {
  const softmax_work *w = context;
  const int64_t n = w->columns;
  for (int64_t r = begin; r < end; r++) softmax_row(n, w->logarithm, w->x + r * n, w->y + r * n);
}

static void softmax_gradient_part(void *context, int64_t begin, int64_t end) {
  const softmax_work *w = context;
  const int64_t n = w->columns;
  for (int64_t r = begin; r < end; r++)
    softmax_gradient_row(n, w->logarithm, w->x + r * n, w->g + r * n, w->y + r * n);
}

void sw_softmax(int64_t rows, int64_t columns, int logarithm, const float *x, float *y) {
  sw_parallel(rows, 1 + grain / (columns + 1), softmax_part, &(softmax_work){columns, logarithm, x, 0, y});
}

void sw_softmax_gradient(int64_t rows, int64_t columns, int logarithm, const float *y, const float *g, float *gx) {
  sw_parallel(rows, 1 + grain / (columns + 1), softmax_gradient_part, &(softmax_work){columns, logarithm, y, g, gx});
}

// Layer norm ---------------------------------------------------------------------------------------------------------

typedef struct {
  int64_t columns;
  float epsilon;
  const float *x, *gamma, *beta, *statistics_in, *g;
  float *y, *statistics;
} layer_norm_work;

SW_KERNEL static void layer_norm_row(int64_t n, float epsilon, const float *restrict x, const float *restrict gamma,
                                     const float *restrict beta, float *restrict y, float *statistics) {
  SW_REASSOCIATE
  float sum = 0, squares = 0;
  for (int64_t i = 0; i < n; i++) sum += x[i];
  const float mean = sum / n;
  for (int64_t i = 0; i < n; i++) squares += (x[i] - mean) * (x[i] - mean);
  const float scale = 1.0f / sqrtf(squares / n + epsilon);
  for (int64_t i = 0; i < n; i++) y[i] = (x[i] - mean) * scale * gamma[i] + beta[i];
  statistics[0] = mean;
  statistics[1] = scale;
}

// gx = r (a - mean(a) - xhat mean(a xhat)), a = g gamma
SW_KERNEL static void layer_norm_gradient_row(int64_t n, float mean, float scale, const float *restrict x,
                                              const float *restrict gamma, const float *restrict g,
                                              float *restrict gx) {
  SW_REASSOCIATE
  float sum = 0, dot = 0;
  for (int64_t i = 0; i < n; i++) {
    const float a = g[i] * gamma[i];
    sum += a;
    dot += a * (x[i] - mean);
  }
  const float shift = sum / n, slope = dot * scale * scale / n;
  for (int64_t i = 0; i < n; i++) gx[i] = scale * (g[i] * gamma[i] - shift - (x[i] - mean) * slope);
}

static void layer_norm_part(void *context, int64_t begin, int64_t end) {
  const layer_norm_work *w = context;
  const int64_t n = w->columns;
  for (int64_t r = begin; r < end; r++)
    layer_norm_row(n, w->epsilon, w->x + r * n, w->gamma, w->beta, w->y + r * n, w->statistics + 2 * r);
}

static void layer_norm_gradient_part(void *context, int64_t begin, int64_t end) {
  const layer_norm_work *w = context;
  const int64_t n = w->columns;
  for (int64_t r = begin; r < end; r++)
    layer_norm_gradient_row(n, w->statistics_in[2 * r], w->statistics_in[2 * r + 1], w->x + r * n, w->gamma,
                            w->g + r * n, w->y + r * n);
}

SW_KERNEL static void layer_norm_weight_row(int64_t n, float mean, float scale, const float *restrict x,
                                            const float *restrict g, float *restrict ggamma, float *restrict gbeta) {
  for (int64_t i = 0; i < n; i++) {
    ggamma[i] += g[i] * (x[i] - mean) * scale;
    gbeta[i] += g[i];
  }
}

void sw_layer_norm(int64_t rows, int64_t columns, float epsilon, const float *x, const float *gamma, const float *beta,
                   float *y, float *statistics) {
  layer_norm_work w = {columns, epsilon, x, gamma, beta, 0, 0, y, statistics};
  sw_parallel(rows, 1 + grain / (columns + 1), layer_norm_part, &w);
}

void sw_layer_norm_gradient(int64_t rows, int64_t columns, const float *x, const float *gamma, const float *statistics,
                            const float *g, float *gx, float *ggamma, float *gbeta) {
  layer_norm_work w = {columns, 0, x, gamma, 0, statistics, g, gx, 0};
  sw_parallel(rows, 1 + grain / (columns + 1), layer_norm_gradient_part, &w);
  if (!ggamma) return;
  memset(ggamma, 0, columns * sizeof(float));
  memset(gbeta, 0, columns * sizeof(float));
  for (int64_t r = 0; r < rows; r++)
    layer_norm_weight_row(columns, statistics[2 * r], statistics[2 * r + 1], x + r * columns, g + r * columns, ggamma,
                          gbeta);
}
