// Packing for the AVX-512 kernel of product_kernel.c: B into panels of 32 columns, and those rows of A that would evict
// each other from the cache.
#pragma once
#include "product_kernel.h"
#include <immintrin.h>
#include <string.h>

#define SW_512 __attribute__((target("avx512f,avx512vl,avx512bw,avx512dq,fma")))

enum { panel = 32, depth = 384, row_stride = depth + 16 };

// Transposes 16 rows of 16 values.
SW_512 static void transpose_block(const float *b, int64_t ldb, float *out, int64_t stride) {
  __m512 r[16], s[16];
  for (int i = 0; i < 16; i++) r[i] = _mm512_loadu_ps(b + i * ldb);
  for (int i = 0; i < 8; i++) {
    s[2 * i] = _mm512_unpacklo_ps(r[2 * i], r[2 * i + 1]);
    s[2 * i + 1] = _mm512_unpackhi_ps(r[2 * i], r[2 * i + 1]);
  }
  for (int i = 0; i < 4; i++)
    for (int j = 0; j < 2; j++) {
      const __m512d low = _mm512_castps_pd(s[4 * i + j]), high = _mm512_castps_pd(s[4 * i + 2 + j]);
      r[4 * i + 2 * j] = _mm512_castpd_ps(_mm512_unpacklo_pd(low, high));
      r[4 * i + 2 * j + 1] = _mm512_castpd_ps(_mm512_unpackhi_pd(low, high));
    }
  // Quarter q of r[4 i + j] holds row 4 q + j of the result, from rows 4 i ... 4 i + 3 of B.
  for (int j = 0; j < 4; j++) {
    const __m512 ab = _mm512_shuffle_f32x4(r[j], r[4 + j], 0x44), cd = _mm512_shuffle_f32x4(r[8 + j], r[12 + j], 0x44);
    const __m512 ef = _mm512_shuffle_f32x4(r[j], r[4 + j], 0xee), gh = _mm512_shuffle_f32x4(r[8 + j], r[12 + j], 0xee);
    _mm512_storeu_ps(out + j * stride, _mm512_shuffle_f32x4(ab, cd, 0x88));
    _mm512_storeu_ps(out + (4 + j) * stride, _mm512_shuffle_f32x4(ab, cd, 0xdd));
    _mm512_storeu_ps(out + (8 + j) * stride, _mm512_shuffle_f32x4(ef, gh, 0x88));
    _mm512_storeu_ps(out + (12 + j) * stride, _mm512_shuffle_f32x4(ef, gh, 0xdd));
  }
}

// Columns first ..< first + count and rows begin ..< begin + k of op(B), as [k, lanes], with zeros beyond the last
// column. The next values are prefetched: weights are used once, and their rows are far apart.
SW_512 static void pack_panel(const sw_product *p, int64_t first, int64_t count, int64_t lanes, int64_t begin,
                              int64_t k, float *out) {
  if (count < lanes) memset(out, 0, k * lanes * sizeof(float));
  if (!p->transpose_b) {
    const float *b = p->b + begin * p->ldb + first;
    for (int64_t i = 0; i < k; i++, b += p->ldb, out += lanes)
      for (int64_t c = 0; c < count; c += 16) {
        const __mmask16 mask = count - c < 16 ? (__mmask16)((1u << (count - c)) - 1) : (__mmask16)0xffff;
        __builtin_prefetch(b + c + lanes, 0, 2);
        _mm512_storeu_ps(out + c, _mm512_maskz_loadu_ps(mask, b + c));
      }
    return;
  }
  const float *b = p->b + first * p->ldb + begin;
  const int64_t whole = k / 16 * 16;
  for (int64_t c = 0; c < count; c += 16) {
    const int64_t columns = count - c < 16 ? count - c : 16;
    const int64_t done = columns == 16 ? whole : 0;
    for (int64_t i = 0; i < done; i += 16) {
      for (int64_t j = 0; j < 16; j++) __builtin_prefetch(b + (c + 16 + j) * p->ldb + i, 0, 2);
      transpose_block(b + c * p->ldb + i, p->ldb, out + i * lanes + c, lanes);
    }
    for (int64_t j = 0; j < columns; j++)
      for (int64_t i = done; i < k; i++) out[i * lanes + c + j] = b[(c + j) * p->ldb + i];
  }
}

// Adds the adapter to a packed panel, four ranks at a time.
SW_512 static void adapt_panel(const sw_product *p, int64_t first, int64_t count, int64_t lanes, int64_t begin,
                               int64_t k, float *out) {
  const sw_low_rank *a = &p->adapter;
  for (int64_t r = 0; r < a->rank; r += 4) {
    const int64_t ranks = a->rank - r < 4 ? a->rank - r : 4;
    float columns[4][panel] = {{0}}, row[4] = {0};
    for (int64_t i = 0; i < ranks; i++)
      for (int64_t c = 0; c < count; c++)
        columns[i][c] = a->scale * (p->transpose_b ? a->up[(first + c) * a->rank + r + i]
                                                   : a->down[(r + i) * p->lddown + first + c]);
    for (int64_t j = 0; j < k; j++) {
      for (int64_t i = 0; i < ranks; i++)
        row[i] = p->transpose_b ? a->down[(r + i) * p->lddown + begin + j] : a->up[(begin + j) * a->rank + r + i];
      for (int64_t c = 0; c < lanes; c += 16) {
        __m512 sum = _mm512_loadu_ps(out + j * lanes + c);
        for (int i = 0; i < 4; i++)
          sum = _mm512_fmadd_ps(_mm512_set1_ps(row[i]), _mm512_loadu_ps(columns[i] + c), sum);
        _mm512_storeu_ps(out + j * lanes + c, sum);
      }
    }
  }
}

// Copies rows of A next to each other, and prefetches the rows after them.
SW_512 static void copy_rows(const float *a, int64_t lda, int64_t count, int64_t k, int64_t next, float *rows) {
  for (int64_t r = count; r < count + next; r++)
    for (int64_t i = 0; i < k; i += 16) __builtin_prefetch(a + r * lda + i, 0, 2);
  for (int64_t r = 0; r < count; r++) {
    int64_t i = 0;
    for (; i + 16 <= k; i += 16) _mm512_store_ps(rows + r * row_stride + i, _mm512_loadu_ps(a + r * lda + i));
    const __mmask16 rest = (__mmask16)((1u << (k - i)) - 1);
    _mm512_store_ps(rows + r * row_stride + i, _mm512_maskz_loadu_ps(rest, a + r * lda + i));
  }
}
