// OpenBLAS, loaded at run time so that the kernels it runs can be chosen before its own start-up code does: Debian 12's
// 0.3.21 does not know newer CPUs and would fall back to kernels five times slower.
#pragma once
#include <stdint.h>

/// Loads the library once. Returns 0, or -1 with the loader's message in sw_blas_error().
int sw_blas_load(void);
const char *sw_blas_error(void);
/// The kernel set in use ("SkylakeX", "Haswell", "Prescott", ...), after sw_blas_load().
const char *sw_blas_core(void);
/// Row-major C = alpha op(A) op(B) + beta C, on the calling thread alone; op(A) is m x k.
void sw_blas_sgemm(int transpose_a, int transpose_b, int64_t m, int64_t n, int64_t k, float alpha, const float *a,
                   int64_t lda, const float *b, int64_t ldb, float beta, float *c, int64_t ldc);
