// The gradient of attention. The scores are computed again, for one block of queries and one block of keys at a time.
//
// With p = softmax(scale q k^T): gv = p^T g; ds = p (g v^T - sum(g y)); gq = scale ds k; gk = scale ds^T q. The rows of
// a block are keys, so that the sums over queries are plain products.
#include "functions.h"
#include "kernels.h"
#include "product_kernel.h"
#include <string.h>

enum { query_block = 256, key_block = 256 };

typedef struct {
  const sw_attention_shape *shape;
  const float *q, *k, *v, *y, *lse, *g;
  float *gq, *gk, *gv;
  int64_t parts;
  float *others; // gk and gv of all parts but the first: [parts - 1, pairs, 2, m, d]; a pair is a (sample, head)
} gradient_work;

static int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }

SW_KERNEL static float dot(int64_t n, const float *restrict a, const float *restrict b) {
  SW_REASSOCIATE
  float sum = 0;
  for (int64_t i = 0; i < n; i++) sum += a[i] * b[i];
  return sum;
}

// The row of one key over the queries: p = e^(score - lse), and ds = p (dp - delta), which replaces dp. The first
// `hidden` queries do not see the key.
SW_KERNEL static void score_gradient(int64_t n, int64_t hidden, const float *restrict lse, const float *restrict delta,
                                     float *restrict p, float *restrict dp) {
  for (int64_t i = 0; i < n; i++) {
    p[i] = sw_expf(p[i] - lse[i]);
    dp[i] = p[i] * (dp[i] - delta[i]);
  }
  for (int64_t i = 0; i < hidden; i++) p[i] = dp[i] = 0;
}

// The queries first ..< last of one (sample, head). The sums over these queries are written to gk and gv, in rows of
// `stride`.
static void gradient_queries(const gradient_work *w, int64_t pair, int64_t first, int64_t last, float *gk, float *gv,
                             int64_t stride, float *p, float *dp) {
  const sw_attention_shape *s = w->shape;
  const int64_t width = s->heads * s->d, b = pair / s->heads, h = pair % s->heads, begin = first;
  float delta[query_block];
  for (; first < last; first += query_block) {
    const int64_t count = least(last - first, query_block);
    const int64_t at_q = (b * s->n + first) * s->q_stride + h * s->d, at_y = (b * s->n + first) * width + h * s->d;
    const float *q = w->q + at_q, *g = w->g + at_y, *lse = w->lse + pair * s->n + first;
    float *gq = w->gq + at_q;
    for (int64_t r = 0; r < count; r++) delta[r] = dot(s->d, g + r * width, w->y + at_y + r * width);
    for (int64_t at = 0; at < s->m; at += key_block) {
      const int64_t keys = least(s->m - at, key_block), at_k = (b * s->m + at) * s->k_stride + h * s->d;
      float *own_gk = gk + at * stride, *own_gv = gv + at * stride;
      sw_multiply(&(sw_product){0, 1, keys, count, s->d, s->scale, w->k + at_k, q, NULL, NULL, p, s->k_stride,
                                s->q_stride, 0, count});
      sw_multiply(&(sw_product){0, 1, keys, count, s->d, 1, w->v + at_k, g, NULL, NULL, dp, s->k_stride, width, 0,
                                count});
      for (int64_t r = 0; r < keys; r++) {
        const int64_t hidden = s->causal && at + r > first ? least(at + r - first, count) : 0;
        score_gradient(count, hidden, lse, delta, p + r * count, dp + r * count);
      }
      sw_multiply(&(sw_product){0, 0, keys, s->d, count, 1, p, g, NULL, first > begin ? own_gv : NULL, own_gv, count,
                                width, stride, stride});
      sw_multiply(&(sw_product){0, 0, keys, s->d, count, s->scale, dp, q, NULL, first > begin ? own_gk : NULL, own_gk,
                                count, s->q_stride, stride, stride});
      sw_multiply(&(sw_product){1, 0, count, s->d, keys, s->scale, dp, w->k + at_k, NULL, at ? gq : NULL, gq, count,
                                s->k_stride, s->q_stride, s->q_stride});
    }
  }
}

// The offset of the gradients of the keys of a (sample, head)
static int64_t keys_at(const sw_attention_shape *s, int64_t pair) {
  return pair / s->heads * s->m * s->k_stride + pair % s->heads * s->d;
}

static float *other(const gradient_work *w, int64_t part, int64_t pair) {
  const sw_attention_shape *s = w->shape;
  return w->others + ((part - 1) * s->batch * s->heads + pair) * 2 * s->m * s->d;
}

static void gradient_parts(void *context, int64_t begin, int64_t end) {
  const gradient_work *w = context;
  const sw_attention_shape *s = w->shape;
  float *p = sw_allocate(2 * query_block * key_block), *dp = p + query_block * key_block;
  for (int64_t task = begin; task < end; task++) {
    const int64_t pair = task / w->parts, part = task % w->parts;
    const int64_t blocks = (s->n + query_block - 1) / query_block, first = blocks * part / w->parts * query_block;
    const int64_t last = least(blocks * (part + 1) / w->parts * query_block, s->n), at = keys_at(s, pair);
    if (part == 0) gradient_queries(w, pair, first, last, w->gk + at, w->gv + at, s->k_stride, p, dp);
    else {
      float *gk = other(w, part, pair);
      gradient_queries(w, pair, first, last, gk, gk + s->m * s->d, s->d, p, dp);
    }
  }
  sw_free(p);
}

static void add_parts(void *context, int64_t begin, int64_t end) {
  const gradient_work *w = context;
  const sw_attention_shape *s = w->shape;
  for (int64_t pair = begin; pair < end; pair++)
    for (int64_t part = 1; part < w->parts; part++)
      for (int64_t r = 0; r < s->m; r++) {
        const float *gk = other(w, part, pair) + r * s->d;
        sw_axpy(s->d, 1, gk, w->gk + keys_at(s, pair) + r * s->k_stride);
        sw_axpy(s->d, 1, gk + s->m * s->d, w->gv + keys_at(s, pair) + r * s->k_stride);
      }
}

void sw_attention_gradient(const sw_attention_shape *s, const float *q, const float *k, const float *v, const float *y,
                           const float *lse, const float *g, float *gq, float *gk, float *gv) {
  // With few heads and many tokens the queries are split too. The split depends on the shape alone, never on the number
  // of threads, so that the order of the sums is always the same.
  const int64_t pairs = s->batch * s->heads, parts = s->n >= 1024 ? 2 : 1;
  float *others = parts > 1 ? sw_allocate((parts - 1) * pairs * 2 * s->m * s->d) : NULL;
  gradient_work w = {s, q, k, v, y, lse, g, gq, gk, gv, parts, others};
  sw_parallel(pairs * parts, 1 + 100000 / (s->n * s->m * s->d), gradient_parts, &w);
  if (!others) return;
  sw_parallel(pairs, 1, add_parts, &w);
  sw_free(others);
}
