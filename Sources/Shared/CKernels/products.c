// Matrix products: OpenBLAS on one thread each, split over ours.
#include "dispatch.h"
#include "kernels.h"
#include "openblas.h"
#include <string.h>

typedef struct {
  int transpose_a, transpose_b, split_rows;
  int64_t m, n, k, lda, ldb, ldc, tile;
  float alpha, beta;
  const float *a, *b;
  float *c;
} gemm_work;

static void gemm_part(void *context, int64_t begin, int64_t end) {
  const gemm_work *w = context;
  begin *= w->tile;
  end *= w->tile;
  if (w->split_rows) {
    if (end > w->m) end = w->m;
    const float *a = w->a + (w->transpose_a ? begin : begin * w->lda);
    sw_blas_sgemm(w->transpose_a, w->transpose_b, end - begin, w->n, w->k, w->alpha, a, w->lda, w->b, w->ldb, w->beta,
                  w->c + begin * w->ldc, w->ldc);
  } else {
    if (end > w->n) end = w->n;
    const float *b = w->b + (w->transpose_b ? begin * w->ldb : begin);
    sw_blas_sgemm(w->transpose_a, w->transpose_b, w->m, end - begin, w->k, w->alpha, w->a, w->lda, b, w->ldb, w->beta,
                  w->c + begin, w->ldc);
  }
}

void sw_gemm(int transpose_a, int transpose_b, int64_t m, int64_t n, int64_t k, float alpha, const float *a,
             int64_t lda, const float *b, int64_t ldb, float beta, float *c, int64_t ldc) {
  if (m == 0 || n == 0) return;
  gemm_work w = {transpose_a, transpose_b, m >= n, m, n, k, lda, ldb, ldc, 16, alpha, beta, a, b, c};
  const int64_t tiles = ((m >= n ? m : n) + 15) / 16;
  // Below about a million multiplications waking a worker costs more than it saves.
  const int64_t grain = (double)m * n * k < 1e6 ? tiles : 1;
  sw_parallel(tiles, grain, gemm_part, &w);
}

typedef struct {
  gemm_work product;
  const float *bias;
} linear_work;

// Rows (or columns) of y start as the bias and the product adds to them.
static void linear_part(void *context, int64_t begin, int64_t end) {
  const linear_work *l = context;
  const gemm_work *w = &l->product;
  if (l->bias) {
    const int64_t first = begin * w->tile, last = end * w->tile < (w->split_rows ? w->m : w->n)
                                                      ? end * w->tile
                                                      : (w->split_rows ? w->m : w->n);
    if (w->split_rows)
      for (int64_t r = first; r < last; r++) memcpy(w->c + r * w->n, l->bias, w->n * sizeof(float));
    else
      for (int64_t r = 0; r < w->m; r++)
        memcpy(w->c + r * w->n + first, l->bias + first, (last - first) * sizeof(float));
  }
  gemm_part((void *)&l->product, begin, end);
}

void sw_linear(int64_t m, int64_t n, int64_t k, const float *x, const float *w, const float *bias, float *y) {
  if (m == 0 || n == 0) return;
  linear_work l = {{0, 1, m >= n, m, n, k, k, k, n, 16, 1, bias ? 1 : 0, x, w, y}, bias};
  const int64_t tiles = ((m >= n ? m : n) + 15) / 16;
  sw_parallel(tiles, (double)m * n * k < 1e6 ? tiles : 1, linear_part, &l);
}

typedef struct {
  int transpose_a, transpose_b;
  int64_t m, n, k;
  const float *a, *b;
  float *c;
} batch_work;

static void batch_part(void *context, int64_t begin, int64_t end) {
  const batch_work *w = context;
  for (int64_t i = begin; i < end; i++)
    sw_blas_sgemm(w->transpose_a, w->transpose_b, w->m, w->n, w->k, 1, w->a + i * w->m * w->k,
                  w->transpose_a ? w->m : w->k, w->b + i * w->k * w->n, w->transpose_b ? w->k : w->n, 0,
                  w->c + i * w->m * w->n, w->n);
}

void sw_batched_gemm(int64_t batch, int transpose_a, int transpose_b, int64_t m, int64_t n, int64_t k, const float *a,
                     const float *b, float *c) {
  if (m == 0 || n == 0) return;
  if (batch == 1) {
    sw_gemm(transpose_a, transpose_b, m, n, k, 1, a, transpose_a ? m : k, b, transpose_b ? k : n, 0, c, n);
    return;
  }
  sw_parallel(batch, 1, batch_part, &(batch_work){transpose_a, transpose_b, m, n, k, a, b, c});
}
