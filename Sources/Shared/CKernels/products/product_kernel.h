// One matrix product on the calling thread, with bias, residual and adapter added in the same pass.
#pragma once
#include "kernels.h"

// C[m, n] = alpha op(A) op(B) + bias + add, row-major; op(A) is m x k. bias[n] and add[m, n] may be NULL; add may be C
// itself. With AVX-512, and elsewhere where op(A) is A, the order of the sum over k does not depend on m and n, so the
// values of a row depend neither on the number of rows nor on their position. OpenBLAS, which computes the other
// products, does not guarantee this: with its Haswell kernels the last bits of a row can change.
typedef struct {
  int transpose_a, transpose_b;
  int64_t m, n, k;
  float alpha;
  const float *a, *b, *bias, *add;
  float *c;
  int64_t lda, ldb, ldadd, ldc;
  // Added to B while B is read, where the rank is not 0; rows of `down` are lddown floats apart.
  sw_low_rank adapter;
  int64_t lddown;
  // op(B) as packed by sw_pack, or NULL.
  const float *packed;
} sw_product;

void sw_multiply(const sw_product *p);

/// The number of floats of a packed op(B) with n columns and k rows, for use in several products. 0 when it cannot be
/// packed as a whole: it is too large, or the CPU has no AVX-512.
int64_t sw_packed_size(int64_t n, int64_t k);
/// Packs op(B) into `packed` and returns `packed`; NULL when sw_packed_size is 0.
const float *sw_pack(const sw_product *p, float *packed);
