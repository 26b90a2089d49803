// Matrix products, divided among the threads by rows or by columns, whichever are more.
#include "product_kernel.h"
#include "dispatch.h"
#include "kernels.h"
#include <string.h>

enum { tile = 16 };

static int splits_rows(const sw_product *p) { return p->m >= p->n; }

static void multiply_part(void *context, int64_t begin, int64_t end) {
  sw_product p = *(const sw_product *)context;
  begin *= tile;
  end *= tile;
  if (splits_rows(&p)) {
    if (end > p.m) end = p.m;
    p.a += p.transpose_a ? begin : begin * p.lda;
    p.c += begin * p.ldc;
    if (p.add) p.add += begin * p.ldadd;
    p.m = end - begin;
  } else {
    if (end > p.n) end = p.n;
    p.b += p.transpose_b ? begin * p.ldb : begin;
    if (p.adapter.rank && p.transpose_b) p.adapter.up += begin * p.adapter.rank;
    else if (p.adapter.rank) p.adapter.down += begin;
    p.c += begin;
    if (p.add) p.add += begin;
    if (p.bias) p.bias += begin;
    p.n = end - begin;
  }
  sw_multiply(&p);
}

static void multiply_on_threads(sw_product *p) {
  if (p->m == 0 || p->n == 0) return;
  const int64_t tiles = ((splits_rows(p) ? p->m : p->n) + tile - 1) / tile;
  // Below about a million multiplications, waking a worker costs more than it saves.
  sw_parallel(tiles, (double)p->m * p->n * p->k < 1e6 ? tiles : 1, multiply_part, p);
}

void sw_gemm(int transpose_a, int transpose_b, int64_t m, int64_t n, int64_t k, float alpha, const float *a,
             int64_t lda, const float *b, int64_t ldb, const float *add, float *c, int64_t ldc) {
  multiply_on_threads(&(sw_product){transpose_a, transpose_b, m, n, k, alpha, a, b, NULL, add, c, lda, ldb, ldc, ldc});
}

void sw_linear(int64_t m, int64_t n, int64_t k, const float *x, const float *w, const sw_low_rank *adapter,
               const float *bias, const float *add, float *y, int64_t ldy) {
  multiply_on_threads(&(sw_product){0, 1, m, n, k, 1, x, w, bias, add, y, k, k, ldy, ldy,
                                    adapter ? *adapter : (sw_low_rank){0}, k});
}

void sw_linear_gradient(int64_t m, int64_t n, int64_t k, const float *g, int64_t ldg, const float *w,
                        const sw_low_rank *adapter, const float *add, float *gx) {
  multiply_on_threads(&(sw_product){0, 0, m, k, n, 1, g, w, NULL, add, gx, ldg, k, k, k,
                                    adapter ? *adapter : (sw_low_rank){0}, k});
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
    sw_multiply(&(sw_product){w->transpose_a, w->transpose_b, w->m, w->n, w->k, 1, w->a + i * w->m * w->k,
                              w->b + i * w->k * w->n, NULL, NULL, w->c + i * w->m * w->n,
                              w->transpose_a ? w->m : w->k, w->transpose_b ? w->k : w->n, w->n, w->n});
}

void sw_batched_gemm(int64_t batch, int transpose_a, int transpose_b, int64_t m, int64_t n, int64_t k, const float *a,
                     const float *b, float *c) {
  if (m == 0 || n == 0) return;
  if (batch == 1) {
    sw_gemm(transpose_a, transpose_b, m, n, k, 1, a, transpose_a ? m : k, b, transpose_b ? k : n, NULL, c, n);
    return;
  }
  sw_parallel(batch, 1, batch_part, &(batch_work){transpose_a, transpose_b, m, n, k, a, b, c});
}
