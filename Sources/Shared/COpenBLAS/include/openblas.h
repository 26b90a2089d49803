// OpenBLAS, loaded at run time so that this process can choose the kernels before OpenBLAS chooses them at start-up:
// version 0.3.21 of Debian 12 does not know newer CPUs and would use kernels that are five times slower.
#pragma once
#include <stdint.h>

/// Loads the library once. Returns 0, or -1 with the message of the loader in sw_blas_error().
int sw_blas_load(void);
const char *sw_blas_error(void);
/// The kernel set in use ("SkylakeX", "Haswell", "Prescott", ...), after sw_blas_load().
const char *sw_blas_core(void);
/// C = alpha op(A) op(B) + beta C, row-major, on the calling thread; op(A) is m x k.
void sw_blas_sgemm(int transpose_a, int transpose_b, int64_t m, int64_t n, int64_t k, float alpha, const float *a,
                   int64_t lda, const float *b, int64_t ldb, float beta, float *c, int64_t ldc);
