// One matrix product on the calling thread, with what follows it in the same pass.
#pragma once
#include "kernels.h"

// C[m, n] = alpha op(A) op(B) + bias + add, row-major; op(A) is m x k. bias [n] and add [m, n] may be NULL; add may be
// C itself (then the product is added to what is there). With AVX-512, and elsewhere where op(A) is A, an element is
// the sum over k in one order, whatever m and n are: a row's values do not depend on how many rows come with it.
typedef struct {
  int transpose_a, transpose_b;
  int64_t m, n, k;
  float alpha;
  const float *a, *b, *bias, *add;
  float *c;
  int64_t lda, ldb, ldadd, ldc;
  // Added to B as it is read, where the rank is not 0; rows of `down` are lddown apart.
  sw_low_rank adapter;
  int64_t lddown;
  // op(B) as sw_pack left it, or NULL.
  const float *packed;
} sw_product;

void sw_multiply(const sw_product *p);

/// Floats that op(B) of n columns takes when it is read once for several products, or 0: then it is not to be had,
/// being too large for that or the CPU having no kernel of ours.
int64_t sw_packed_size(int64_t n, int64_t k);
/// Reads op(B) into `packed`, if that is to be had; returns `packed`, or NULL.
const float *sw_pack(const sw_product *p, float *packed);
