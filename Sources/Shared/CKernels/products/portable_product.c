// The product for CPUs without AVX-512: B is packed into panels of 16 columns, and up to 6 rows of A at a time meet a
// panel in registers. OpenBLAS is a tenth faster on AVX2, but rounds a row differently with its position among the
// others, so that a score would depend on the pictures that share its batch.
#include "portable_product.h"
#include "dispatch.h"
#include "kernels.h"
#include <string.h>

enum { lanes = 16, block_columns = 256, block_depth = 384 };

typedef float vector __attribute__((ext_vector_type(16), aligned(4)));

// sums over k of a[r lda + k] b[k, 16]; then C = alpha sums + bias + add, in the first `columns` columns.
typedef struct {
  int64_t k, lda, ldadd, ldc, columns;
  const float *a, *b, *bias, *add;
  float *c;
  float alpha;
} panel_tile;

SW_INLINE void multiply_tile(const int rows, const panel_tile *t) {
  vector sums[6];
#pragma clang loop unroll(full)
  for (int r = 0; r < rows; r++) sums[r] = (vector)0.0f;
  const float *a = t->a, *b = t->b;
  const int64_t lda = t->lda;
  for (int64_t k = t->k; k > 0; k--, a++, b += lanes) {
    const vector right = *(const vector *)b;
#pragma clang loop unroll(full)
    for (int r = 0; r < rows; r++) sums[r] += (vector)a[r * lda] * right;
  }
  vector bias = (vector)0.0f;
  if (t->bias) memcpy(&bias, t->bias, t->columns * sizeof(float));
#pragma clang loop unroll(full)
  for (int r = 0; r < rows; r++) {
    vector y = t->alpha * sums[r] + bias, add = (vector)0.0f;
    float *c = t->c + r * t->ldc;
    if (t->columns == lanes) {
      if (t->add) y += *(const vector *)(t->add + r * t->ldadd);
      *(vector *)c = y;
      continue;
    }
    if (t->add) memcpy(&add, t->add + r * t->ldadd, t->columns * sizeof(float));
    y += add;
    memcpy(c, &y, t->columns * sizeof(float));
  }
}

// Columns first ... first + count of op(B), rows begin ... begin + k, as [k, 16] with zeros beyond the last column.
SW_INLINE void pack_panel(const sw_product *p, int64_t first, int64_t count, int64_t begin, int64_t k, float *out) {
  if (count < lanes) memset(out, 0, k * lanes * sizeof(float));
  if (!p->transpose_b) {
    for (int64_t i = 0; i < k; i++)
      memcpy(out + i * lanes, p->b + (begin + i) * p->ldb + first, count * sizeof(float));
  } else {
    // Eight rows at a time, so that the panel's lines stay in the cache while columns fill them.
    const float *b = p->b + first * p->ldb + begin;
    for (int64_t i = 0; i < k; i += 8) {
      const int64_t end = k - i < 8 ? k : i + 8;
      for (int64_t c = 0; c < count; c++)
        for (int64_t j = i; j < end; j++) out[j * lanes + c] = b[c * p->ldb + j];
    }
  }
  const sw_low_rank *adapter = &p->adapter;
  for (int64_t r = 0; r < adapter->rank; r++) {
    float row[lanes] = {0};
    for (int64_t c = 0; c < count; c++)
      row[c] = adapter->scale * (p->transpose_b ? adapter->up[(first + c) * adapter->rank + r]
                                                : adapter->down[r * p->lddown + first + c]);
    for (int64_t i = 0; i < k; i++) {
      const float left = p->transpose_b ? adapter->down[r * p->lddown + begin + i]
                                        : adapter->up[(begin + i) * adapter->rank + r];
      *(vector *)(out + i * lanes) += left * *(const vector *)row;
    }
  }
}

SW_INLINE void multiply_block(const sw_product *p, int64_t column, int64_t columns, int64_t begin, int64_t k,
                              const int most_rows, float *packed) {
  for (int64_t c = 0; c < columns; c += lanes)
    pack_panel(p, column + c, columns - c < lanes ? columns - c : lanes, begin, k, packed + c * k);
  const int opens = begin == 0;
  for (int64_t row = 0; row < p->m; row += most_rows) {
    const int64_t rows = p->m - row < most_rows ? p->m - row : most_rows;
    for (int64_t c = 0; c < columns; c += lanes) {
      float *y = p->c + row * p->ldc + column + c;
      const panel_tile t = {
          .k = k, .lda = p->lda, .ldadd = opens ? p->ldadd : p->ldc, .ldc = p->ldc,
          .columns = columns - c < lanes ? columns - c : lanes, .a = p->a + row * p->lda + begin, .b = packed + c * k,
          .bias = opens && p->bias ? p->bias + column + c : NULL,
          .add = opens ? (p->add ? p->add + row * p->ldadd + column + c : NULL) : y, .c = y, .alpha = p->alpha};
      switch (rows) {
      case 6: multiply_tile(6, &t); break;
      case 5: multiply_tile(5, &t); break;
      case 4: multiply_tile(4, &t); break;
      case 3: multiply_tile(3, &t); break;
      case 2: multiply_tile(2, &t); break;
      default: multiply_tile(1, &t); break;
      }
    }
  }
}

SW_INLINE void multiply(const sw_product *p, const int most_rows) {
  const int64_t widest = p->n < block_columns ? (p->n + lanes - 1) / lanes * lanes : block_columns;
  float *packed = sw_allocate(widest * (p->k < block_depth ? p->k : block_depth));
  for (int64_t column = 0; column < p->n; column += block_columns)
    for (int64_t begin = 0; begin < p->k; begin += block_depth) {
      const int64_t left = p->n - column, deep = p->k - begin;
      multiply_block(p, column, left < block_columns ? left : block_columns, begin,
                     deep < block_depth ? deep : block_depth, most_rows, packed);
    }
  sw_free(packed);
}

#if defined(__x86_64__)
__attribute__((target("arch=x86-64-v3"))) static void multiply_v3(const sw_product *p) { multiply(p, 6); }
static void multiply_default(const sw_product *p) { multiply(p, 3); }

void sw_multiply_portable(const sw_product *p) {
  if (__builtin_cpu_supports("x86-64-v3")) multiply_v3(p);
  else multiply_default(p);
}
#else
void sw_multiply_portable(const sw_product *p) { multiply(p, 6); }
#endif
