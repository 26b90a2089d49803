// Loads OpenBLAS and calls its matrix product; see openblas.h.
#include "openblas.h"
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef void (*sgemm_function)(int order, int ta, int tb, int m, int n, int k, float alpha, const float *a, int lda,
                               const float *b, int ldb, float beta, float *c, int ldc);

static sgemm_function sgemm;
static char core[64] = "not loaded";
static char message[512];
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void choose_kernels(void) {
  if (getenv("OPENBLAS_CORETYPE")) return; // the user has chosen
#if defined(__x86_64__)
  __builtin_cpu_init();
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512bw"))
    setenv("OPENBLAS_CORETYPE", "SkylakeX", 1);
  else if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
    setenv("OPENBLAS_CORETYPE", "Haswell", 1);
#endif
}

static void load(void) {
  choose_kernels();
  setenv("OPENBLAS_NUM_THREADS", "1", 1); // CKernels has its own threads
  void *library = dlopen("libopenblas.so.0", RTLD_NOW | RTLD_LOCAL);
  if (!library) library = dlopen("libopenblas.so", RTLD_NOW | RTLD_LOCAL);
  if (!library) {
    snprintf(message, sizeof message, "%s", dlerror());
    return;
  }
  sgemm = (sgemm_function)dlsym(library, "cblas_sgemm");
  if (!sgemm) {
    snprintf(message, sizeof message, "libopenblas.so.0 has no cblas_sgemm");
    return;
  }
  char *(*corename)(void) = (char *(*)(void))dlsym(library, "openblas_get_corename");
  snprintf(core, sizeof core, "%s", corename ? corename() : "unknown");
  void (*set_threads)(int) = (void (*)(int))dlsym(library, "openblas_set_num_threads");
  if (set_threads) set_threads(1);
}

int sw_blas_load(void) {
  pthread_once(&once, load);
  return sgemm ? 0 : -1;
}

const char *sw_blas_error(void) { return message; }
const char *sw_blas_core(void) { return core; }

void sw_blas_sgemm(int transpose_a, int transpose_b, int64_t m, int64_t n, int64_t k, float alpha, const float *a,
                   int64_t lda, const float *b, int64_t ldb, float beta, float *c, int64_t ldc) {
  enum { row_major = 101, plain = 111, transposed = 112 };
  if (!sgemm && sw_blas_load() != 0) { // Compute.start(), which throws this error, was not called
    fprintf(stderr, "could not load OpenBLAS: %s. Install the Debian package libopenblas-dev.\n", message);
    abort();
  }
  sgemm(row_major, transpose_a ? transposed : plain, transpose_b ? transposed : plain, (int)m, (int)n, (int)k, alpha, a,
        (int)lda, b, (int)ldb, beta, c, (int)ldc);
}
