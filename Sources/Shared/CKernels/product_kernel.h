// One matrix product on the calling thread, with what follows it in the same pass.
#pragma once
#include <stdint.h>

// C[m, n] = alpha op(A) op(B) + bias + add, row-major; op(A) is m x k. bias [n] and add [m, n] may be NULL; add may be C
// itself (then the product is added to what is there). With AVX-512, and elsewhere where op(A) is A, an element is the sum
// over k in one order, whatever m and n are: a row's values do not depend on how many rows come with it.
typedef struct {
  int transpose_a, transpose_b;
  int64_t m, n, k;
  float alpha;
  const float *a, *b, *bias, *add;
  float *c;
  int64_t lda, ldb, ldadd, ldc;
} sw_product;

void sw_multiply(const sw_product *p);
