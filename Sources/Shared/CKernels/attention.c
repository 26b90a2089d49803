// Attention that never holds tokens x tokens: a block of queries at a time against all keys, one (sample, head) a task.
#include "functions.h"
#include "kernels.h"
#include "openblas.h"
#include <math.h>
#include <string.h>

enum { query_block = 64 };

typedef struct {
  const sw_attention_shape *shape;
  const float *q, *k, *v, *y, *lse_in, *g;
  float *out, *lse, *gq, *gk, *gv;
  int64_t blocks;
} attention_work;

// p = softmax of a row of scores over its first `visible` columns; returns the log of the sum
SW_KERNEL static float softmax_visible(int64_t columns, int64_t visible, float *restrict p) {
  SW_REASSOCIATE
  float top = p[0], sum = 0;
  for (int64_t i = 1; i < visible; i++) top = p[i] > top ? p[i] : top;
  for (int64_t i = 0; i < visible; i++) {
    p[i] = sw_expf(p[i] - top);
    sum += p[i];
  }
  const float scale = 1.0f / sum;
  for (int64_t i = 0; i < visible; i++) p[i] *= scale;
  for (int64_t i = visible; i < columns; i++) p[i] = 0;
  return top + logf(sum);
}

// p = exp(score - lse): the softmax again, from its stored sums
SW_KERNEL static void restore_softmax(int64_t columns, int64_t visible, float lse, float *restrict p) {
  for (int64_t i = 0; i < visible; i++) p[i] = sw_expf(p[i] - lse);
  for (int64_t i = visible; i < columns; i++) p[i] = 0;
}

SW_KERNEL static float dot(int64_t n, const float *restrict a, const float *restrict b) {
  SW_REASSOCIATE
  float sum = 0;
  for (int64_t i = 0; i < n; i++) sum += a[i] * b[i];
  return sum;
}

// ds = p (dp - delta)
SW_KERNEL static void score_gradient(int64_t n, float delta, const float *restrict p, float *restrict dp) {
  for (int64_t i = 0; i < n; i++) dp[i] = p[i] * (dp[i] - delta);
}

static int64_t visible_columns(const sw_attention_shape *s, int64_t row) {
  return s->causal && row + 1 < s->m ? row + 1 : s->m;
}

static void attend_blocks(void *context, int64_t begin, int64_t end) {
  const attention_work *w = context;
  const sw_attention_shape *s = w->shape;
  const int64_t width = s->heads * s->d;
  float *p = sw_allocate(query_block * s->m);
  for (int64_t task = begin; task < end; task++) {
    const int64_t pair = task / w->blocks, first = task % w->blocks * query_block;
    const int64_t b = pair / s->heads, h = pair % s->heads, rows = s->n - first < query_block ? s->n - first : query_block;
    const float *q = w->q + (b * s->n + first) * width + h * s->d;
    const float *k = w->k + b * s->m * width + h * s->d, *v = w->v + b * s->m * width + h * s->d;
    sw_blas_sgemm(0, 1, rows, s->m, s->d, s->scale, q, width, k, width, 0, p, s->m);
    for (int64_t r = 0; r < rows; r++)
      w->lse[pair * s->n + first + r] = softmax_visible(s->m, visible_columns(s, first + r), p + r * s->m);
    sw_blas_sgemm(0, 0, rows, s->d, s->m, 1, p, s->m, v, width, 0, w->out + (b * s->n + first) * width + h * s->d,
                  width);
  }
  sw_free(p);
}

void sw_attention(const sw_attention_shape *s, const float *q, const float *k, const float *v, float *y, float *lse) {
  attention_work w = {s, q, k, v, 0, 0, 0, y, lse, 0, 0, 0, (s->n + query_block - 1) / query_block};
  const int64_t work = query_block * s->m * s->d; // multiplications a task, about
  sw_parallel(s->batch * s->heads * w.blocks, 1 + 200000 / work, attend_blocks, &w);
}

// With p = softmax(scale q k^T): gv = p^T g; ds = p (g v^T - sum(g y)); gq = scale ds k; gk = scale ds^T q
static void attention_gradient_pairs(void *context, int64_t begin, int64_t end) {
  const attention_work *w = context;
  const sw_attention_shape *s = w->shape;
  const int64_t width = s->heads * s->d;
  float *p = sw_allocate(2 * query_block * s->m), *dp = p + query_block * s->m;
  for (int64_t pair = begin; pair < end; pair++) {
    const int64_t b = pair / s->heads, h = pair % s->heads;
    const int64_t at_keys = b * s->m * width + h * s->d;
    const float *k = w->k + at_keys, *v = w->v + at_keys;
    float *gk = w->gk + at_keys, *gv = w->gv + at_keys;
    for (int64_t first = 0; first < s->n; first += query_block) {
      const int64_t rows = s->n - first < query_block ? s->n - first : query_block;
      const int64_t at = (b * s->n + first) * width + h * s->d;
      const float *q = w->q + at, *y = w->y + at, *g = w->g + at;
      const float kept = first == 0 ? 0 : 1;
      sw_blas_sgemm(0, 1, rows, s->m, s->d, s->scale, q, width, k, width, 0, p, s->m);
      sw_blas_sgemm(0, 1, rows, s->m, s->d, 1, g, width, v, width, 0, dp, s->m);
      for (int64_t r = 0; r < rows; r++) {
        restore_softmax(s->m, visible_columns(s, first + r), w->lse_in[pair * s->n + first + r], p + r * s->m);
        score_gradient(s->m, dot(s->d, g + r * width, y + r * width), p + r * s->m, dp + r * s->m);
      }
      sw_blas_sgemm(1, 0, s->m, s->d, rows, 1, p, s->m, g, width, kept, gv, width);
      sw_blas_sgemm(0, 0, rows, s->d, s->m, s->scale, dp, s->m, k, width, 0, w->gq + at, width);
      sw_blas_sgemm(1, 0, s->m, s->d, rows, s->scale, dp, s->m, q, width, kept, gk, width);
    }
  }
  sw_free(p);
}

void sw_attention_gradient(const sw_attention_shape *s, const float *q, const float *k, const float *v, const float *y,
                           const float *lse, const float *g, float *gq, float *gk, float *gv) {
  attention_work w = {s, q, k, v, y, lse, g, 0, 0, gq, gk, gv, 0};
  sw_parallel(s->batch * s->heads, 1 + 100000 / (s->n * s->m * s->d), attention_gradient_pairs, &w);
}
