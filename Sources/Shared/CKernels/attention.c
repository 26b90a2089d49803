// Attention without a tokens x tokens matrix: a block of queries is multiplied with one block of keys after the other,
// with a running maximum and a running sum for each query (Milakov and Gimelshein, arXiv 1805.02867; Dao et al.,
// arXiv 2205.14135).
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

// The state of a query over the keys so far: the largest score, and the sum of e^(score - largest).
typedef struct {
  float top, sum;
} seen;

// p = e^(score - top) over the visible columns. Returns the factor by which earlier sums must be multiplied.
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

// The number of keys that query `row` sees among the `columns` keys from `first`.
static int64_t visible_keys(const sw_attention_shape *s, int64_t row, int64_t first, int64_t columns) {
  if (!s->causal) return columns;
  return row + 1 <= first ? 0 : least(row + 1 - first, columns);
}

// One block of keys and values of a head, packed once for all queries. `scores` and `values` are products without their
// left operands and results.
typedef struct {
  sw_product scores, values;
} key_products;

static void prepare_keys(const sw_attention_shape *s, const float *k, const float *v, key_products *blocks,
                         float *packed) {
  for (int64_t at = 0; at < s->m; at += key_block, blocks++) {
    const int64_t columns = least(s->m - at, key_block), stride = s->k_stride;
    blocks->scores = (sw_product){.transpose_b = 1, .n = columns, .k = s->d, .alpha = s->scale, .b = k + at * stride,
                                  .ldb = stride, .lda = s->q_stride, .ldc = columns};
    blocks->values = (sw_product){.n = s->d, .k = columns, .alpha = 1, .b = v + at * stride, .ldb = stride,
                                  .lda = columns, .ldadd = s->heads * s->d, .ldc = s->heads * s->d};
    blocks->scores.packed = sw_pack(&blocks->scores, packed);
    packed += sw_packed_size(columns, s->d);
    blocks->values.packed = sw_pack(&blocks->values, packed);
    packed += sw_packed_size(s->d, columns);
  }
}

// One block of queries over all keys of its head; p has room for the scores of one block of keys.
static void attend(const sw_attention_shape *s, const key_products *keys, int64_t first, int64_t count, const float *q,
                   float *y, float *lse, float *p) {
  const int64_t width = s->heads * s->d;
  seen rows[query_block];
  for (int64_t r = 0; r < count; r++) rows[r] = (seen){-INFINITY, 0};
  for (int64_t at = 0; at < s->m; at += key_block, keys++) {
    const int64_t columns = keys->scores.n;
    if (s->causal && at > first + count - 1) break;
    sw_product scores = keys->scores, values = keys->values;
    scores.m = values.m = count;
    scores.a = q;
    scores.c = p;
    sw_multiply(&scores);
    for (int64_t r = 0; r < count; r++) {
      const int64_t visible = visible_keys(s, first + r, at, columns);
      const float shrink = visible > 0 ? exponentiate(columns, visible, rows + r, p + r * columns) : 1;
      if (visible == 0) memset(p + r * columns, 0, columns * sizeof(float));
      if (at > 0) scale_row(s->d, shrink, y + r * width);
    }
    values.a = p;
    values.c = y;
    values.add = at > 0 ? y : NULL;
    sw_multiply(&values);
  }
  for (int64_t r = 0; r < count; r++) {
    scale_row(s->d, 1.0f / rows[r].sum, y + r * width);
    lse[r] = rows[r].top + logf(rows[r].sum);
  }
}

static void attend_blocks(void *context, int64_t begin, int64_t end) {
  const attention_work *w = context;
  const sw_attention_shape *s = w->shape;
  const int64_t width = s->heads * s->d, blocks = (s->m + key_block - 1) / key_block;
  const int64_t keys_size = sw_packed_size(key_block, s->d), values_size = sw_packed_size(s->d, key_block);
  float *p = sw_allocate(query_block * key_block + blocks * (keys_size + values_size));
  key_products *keys = (key_products *)sw_allocate(blocks * (int64_t)(sizeof *keys / sizeof(float)));
  int64_t prepared = -1;
  for (int64_t task = begin; task < end; task++) {
    const int64_t pair = task / w->blocks, first = task % w->blocks * query_block;
    const int64_t b = pair / s->heads, h = pair % s->heads, at = b * s->m * s->k_stride + h * s->d;
    if (pair != prepared) prepare_keys(s, w->k + at, w->v + at, keys, p + query_block * key_block);
    prepared = pair;
    attend(s, keys, first, least(s->n - first, query_block), w->q + (b * s->n + first) * s->q_stride + h * s->d,
           w->y + (b * s->n + first) * width + h * s->d, w->lse + pair * s->n + first, p);
  }
  sw_free((float *)keys);
  sw_free(p);
}

void sw_attention(const sw_attention_shape *s, const float *q, const float *k, const float *v, float *y, float *lse) {
  attention_work w = {s, q, k, v, y, lse, (s->n + query_block - 1) / query_block};
  const int64_t work = query_block * s->m * s->d; // about the number of multiplications per task
  sw_parallel(s->batch * s->heads * w.blocks, 1 + 200000 / work, attend_blocks, &w);
}
