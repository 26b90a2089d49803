// Attention that never holds tokens x tokens: a block of queries at a time meets the keys a block at a time, and keeps a
// running maximum and sum for each query (Milakov and Gimelshein, arXiv 1805.02867; Dao et al., arXiv 2205.14135).
#include "functions.h"
#include "kernels.h"
#include "product_kernel.h"
#include <math.h>
#include <string.h>

enum { query_block = 256, key_block = 256 };

typedef struct {
  const sw_attention_shape *shape;
  const float *q, *k, *v;
  float *y, *lse;
  int64_t blocks;
} attention_work;

// What a query has seen so far: the largest score, and the sum of e^(score - largest).
typedef struct {
  float top, sum;
} seen;

// p = e^(score - top) over the visible columns; returns the factor that what was summed before must shrink by.
SW_KERNEL static float exponentiate(int64_t columns, int64_t visible, seen *row, float *restrict p) {
  SW_REASSOCIATE
  const float top = sw_largest(visible, p, row->top);
  float sum = 0;
  for (int64_t i = 0; i < visible; i++) {
    p[i] = sw_expf(p[i] - top);
    sum += p[i];
  }
  for (int64_t i = visible; i < columns; i++) p[i] = 0;
  const float shrink = row->sum > 0 ? sw_expf(row->top - top) : 0;
  row->sum = row->sum * shrink + sum;
  row->top = top;
  return shrink;
}

SW_KERNEL static void scale_row(int64_t n, float scale, float *y) {
  for (int64_t i = 0; i < n; i++) y[i] *= scale;
}

static int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }

// Of `columns` keys from `first` on, those that query `row` sees.
static int64_t visible_keys(const sw_attention_shape *s, int64_t row, int64_t first, int64_t columns) {
  if (!s->causal) return columns;
  return row + 1 <= first ? 0 : least(row + 1 - first, columns);
}

static void attend_blocks(void *context, int64_t begin, int64_t end) {
  const attention_work *w = context;
  const sw_attention_shape *s = w->shape;
  const int64_t width = s->heads * s->d;
  float *p = sw_allocate(query_block * least(s->m, key_block));
  seen rows[query_block];
  for (int64_t task = begin; task < end; task++) {
    const int64_t pair = task / w->blocks, first = task % w->blocks * query_block;
    const int64_t b = pair / s->heads, h = pair % s->heads, count = least(s->n - first, query_block);
    const float *q = w->q + (b * s->n + first) * s->q_stride + h * s->d;
    const float *k = w->k + b * s->m * s->k_stride + h * s->d, *v = w->v + b * s->m * s->k_stride + h * s->d;
    float *y = w->y + (b * s->n + first) * width + h * s->d;
    for (int64_t r = 0; r < count; r++) rows[r] = (seen){-INFINITY, 0};
    for (int64_t at = 0; at < s->m; at += key_block) {
      const int64_t columns = least(s->m - at, key_block);
      if (s->causal && at > first + count - 1) break;
      sw_multiply(&(sw_product){0, 1, count, columns, s->d, s->scale, q, k + at * s->k_stride, NULL, NULL, p,
                                s->q_stride, s->k_stride, 0, columns});
      for (int64_t r = 0; r < count; r++) {
        const int64_t visible = visible_keys(s, first + r, at, columns);
        const float shrink = visible > 0 ? exponentiate(columns, visible, rows + r, p + r * columns) : 1;
        if (visible == 0) memset(p + r * columns, 0, columns * sizeof(float));
        if (at > 0) scale_row(s->d, shrink, y + r * width);
      }
      sw_multiply(&(sw_product){0, 0, count, s->d, columns, 1, p, v + at * s->k_stride, NULL, at > 0 ? y : NULL, y,
                                columns, s->k_stride, width, width});
    }
    for (int64_t r = 0; r < count; r++) {
      scale_row(s->d, 1.0f / rows[r].sum, y + r * width);
      w->lse[pair * s->n + first + r] = rows[r].top + logf(rows[r].sum);
    }
  }
  sw_free(p);
}

void sw_attention(const sw_attention_shape *s, const float *q, const float *k, const float *v, float *y, float *lse) {
  attention_work w = {s, q, k, v, y, lse, (s->n + query_block - 1) / query_block};
  const int64_t work = query_block * s->m * s->d; // multiplications a task, about
  sw_parallel(s->batch * s->heads * w.blocks, 1 + 200000 / work, attend_blocks, &w);
}
