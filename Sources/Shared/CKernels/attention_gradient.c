// The gradient of attention: scores are computed again, a block of queries by a block of keys at a time.
//
// With p = softmax(scale q k^T): gv = p^T g; ds = p (g v^T - sum(g y)); gq = scale ds k; gk = scale ds^T q. Blocks are held
// with keys as rows, so that the sums over queries are plain products.
#include "functions.h"
#include "kernels.h"
#include "product_kernel.h"
#include <string.h>

enum { query_block = 128, key_block = 256 };

typedef struct {
  const sw_attention_shape *shape;
  const float *q, *k, *v, *y, *lse, *g;
  float *gq, *gk, *gv;
} gradient_work;

static int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }

SW_KERNEL static float dot(int64_t n, const float *restrict a, const float *restrict b) {
  SW_REASSOCIATE
  float sum = 0;
  for (int64_t i = 0; i < n; i++) sum += a[i] * b[i];
  return sum;
}

// A key's row over the queries: p = e^(score - lse), and ds = p (dp - delta) in place of dp. Queries before `hidden` do not
// see the key.
SW_KERNEL static void score_gradient(int64_t n, int64_t hidden, const float *restrict lse, const float *restrict delta,
                                     float *restrict p, float *restrict dp) {
  for (int64_t i = 0; i < n; i++) {
    p[i] = sw_expf(p[i] - lse[i]);
    dp[i] = p[i] * (dp[i] - delta[i]);
  }
  for (int64_t i = 0; i < hidden; i++) p[i] = dp[i] = 0;
}

static void gradient_pair(const gradient_work *w, int64_t pair, float *p, float *dp) {
  const sw_attention_shape *s = w->shape;
  const int64_t width = s->heads * s->d, b = pair / s->heads, h = pair % s->heads;
  float delta[query_block];
  for (int64_t first = 0; first < s->n; first += query_block) {
    const int64_t count = least(s->n - first, query_block);
    const int64_t at_q = (b * s->n + first) * s->q_stride + h * s->d, at_y = (b * s->n + first) * width + h * s->d;
    const float *q = w->q + at_q, *g = w->g + at_y, *lse = w->lse + pair * s->n + first;
    float *gq = w->gq + at_q;
    for (int64_t r = 0; r < count; r++) delta[r] = dot(s->d, g + r * width, w->y + at_y + r * width);
    for (int64_t at = 0; at < s->m; at += key_block) {
      const int64_t keys = least(s->m - at, key_block), at_k = (b * s->m + at) * s->k_stride + h * s->d;
      float *gk = w->gk + at_k, *gv = w->gv + at_k;
      sw_multiply(&(sw_product){0, 1, keys, count, s->d, s->scale, w->k + at_k, q, NULL, NULL, p, s->k_stride,
                                s->q_stride, 0, count});
      sw_multiply(&(sw_product){0, 1, keys, count, s->d, 1, w->v + at_k, g, NULL, NULL, dp, s->k_stride, width, 0,
                                count});
      for (int64_t r = 0; r < keys; r++) {
        const int64_t hidden = s->causal && at + r > first ? least(at + r - first, count) : 0;
        score_gradient(count, hidden, lse, delta, p + r * count, dp + r * count);
      }
      sw_multiply(&(sw_product){0, 0, keys, s->d, count, 1, p, g, NULL, first ? gv : NULL, gv, count, width,
                                s->k_stride, s->k_stride});
      sw_multiply(&(sw_product){0, 0, keys, s->d, count, s->scale, dp, q, NULL, first ? gk : NULL, gk, count,
                                s->q_stride, s->k_stride, s->k_stride});
      sw_multiply(&(sw_product){1, 0, count, s->d, keys, s->scale, dp, w->k + at_k, NULL, at ? gq : NULL, gq, count,
                                s->k_stride, s->q_stride, s->q_stride});
    }
  }
}

static void gradient_pairs(void *context, int64_t begin, int64_t end) {
  const gradient_work *w = context;
  float *p = sw_allocate(2 * query_block * key_block);
  for (int64_t pair = begin; pair < end; pair++) gradient_pair(w, pair, p, p + query_block * key_block);
  sw_free(p);
}

void sw_attention_gradient(const sw_attention_shape *s, const float *q, const float *k, const float *v, const float *y,
                           const float *lse, const float *g, float *gq, float *gk, float *gv) {
  gradient_work w = {s, q, k, v, y, lse, g, gq, gk, gv};
  sw_parallel(s->batch * s->heads, 1 + 100000 / (s->n * s->m * s->d), gradient_pairs, &w);
}
