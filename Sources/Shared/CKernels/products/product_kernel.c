// Matrix products of the shapes that networks have: many rows, few columns, a short inner axis. With AVX-512 this file
// has its own kernel: B is packed once into panels of 32 columns, which stay in the L2 cache, and 14 rows of A at a
// time, which are not packed, are multiplied with a panel into 28 registers of sums. (OpenBLAS packs both sides for
// every product and reaches four fifths of the speed at an inner axis of 64.) On other CPUs portable_product.c computes
// products whose left side is not transposed, and OpenBLAS the others, which are gradients of weights.
#include "product_kernel.h"
#include "kernels.h"
#include "openblas.h"
#include "portable_product.h"
#include <string.h>

static void add_rows(const sw_product *p) {
  for (int64_t r = 0; r < p->m; r++) {
    float *c = p->c + r * p->ldc;
    if (p->add && p->add != p->c) memcpy(c, p->add + r * p->ldadd, p->n * sizeof(float));
    else if (!p->add && p->bias) memcpy(c, p->bias, p->n * sizeof(float));
    if (p->add && p->bias) sw_axpy(p->n, 1, p->bias, c);
  }
}

// B with its adapter added, for OpenBLAS, which cannot add it while reading.
static float *adapted(const sw_product *p) {
  const int64_t rows = p->transpose_b ? p->n : p->k, columns = p->transpose_b ? p->k : p->n;
  const sw_low_rank *a = &p->adapter;
  float *b = sw_allocate(rows * columns);
  for (int64_t r = 0; r < rows; r++) memcpy(b + r * columns, p->b + r * p->ldb, columns * sizeof(float));
  sw_blas_sgemm(0, 0, rows, columns, a->rank, a->scale, a->up, a->rank, a->down, p->lddown, 1, b, columns);
  return b;
}

static void multiply_by_library(const sw_product *p) {
  if (p->adapter.rank) {
    sw_product whole = *p;
    float *b = adapted(p);
    whole.b = b;
    whole.ldb = p->transpose_b ? p->k : p->n;
    whole.adapter.rank = 0;
    multiply_by_library(&whole);
    sw_free(b);
    return;
  }
  const int adds = p->add || p->bias;
  if (adds) add_rows(p);
  sw_blas_sgemm(p->transpose_a, p->transpose_b, p->m, p->n, p->k, p->alpha, p->a, p->lda, p->b, p->ldb, adds ? 1 : 0,
                p->c, p->ldc);
}

#if defined(__x86_64__)
#include "product_packing.h"

enum { block_rows = 14, width = 512 };

// sums[r, v] = sum over k of a[r row + k step] b[k, 16 v ...]; C = alpha sums + bias + add
typedef struct {
  int64_t k, row, step;
  const float *a, *b, *bias, *add;
  float *c;
  int64_t ldadd, ldc;
  float alpha;
  __mmask16 last; // the columns of the last register that are part of C
} tile;

static inline __attribute__((always_inline)) SW_512 void multiply_tile(const int rows, const int registers,
                                                                       const tile *t) {
  __m512 sums[block_rows][2];
#pragma clang loop unroll(full)
  for (int r = 0; r < rows; r++)
#pragma clang loop unroll(full)
    for (int v = 0; v < registers; v++) {
      sums[r][v] = _mm512_setzero_ps();
      __builtin_prefetch(t->c + r * t->ldc + 16 * v, 1, 3);
    }
  // The addresses of rows are computed from every fifth row, so that each is the sum of two registers. Without this the
  // compiler computes each address from the row before, and the sums wait for it.
  const int64_t row = t->row, step = t->step;
  int64_t third = 3 * row;
  const float *b = t->b, *a = t->a, *fifth = a + 5 * row, *tenth = fifth + 5 * row;
  __asm__("" : "+r"(fifth), "+r"(tenth), "+r"(third));
  for (int64_t k = t->k; k > 0; k--, a += step, fifth += step, tenth += step, b += 16 * registers) {
    __m512 columns[2];
#pragma clang loop unroll(full)
    for (int v = 0; v < registers; v++) columns[v] = _mm512_loadu_ps(b + 16 * v);
#pragma clang loop unroll(full)
    for (int r = 0; r < rows; r++) {
      const float *near = r < 5 ? a : r < 10 ? fifth : tenth;
      const __m512 left = _mm512_set1_ps(near[r % 5 == 3 ? third : r % 5 * row]);
#pragma clang loop unroll(full)
      for (int v = 0; v < registers; v++) sums[r][v] = _mm512_fmadd_ps(left, columns[v], sums[r][v]);
    }
  }
  const __m512 alpha = _mm512_set1_ps(t->alpha);
#pragma clang loop unroll(full)
  for (int v = 0; v < registers; v++) {
    const __mmask16 mask = v == registers - 1 ? t->last : (__mmask16)0xffff;
    const __m512 bias = t->bias ? _mm512_maskz_loadu_ps(mask, t->bias + 16 * v) : _mm512_setzero_ps();
#pragma clang loop unroll(full)
    for (int r = 0; r < rows; r++) {
      __m512 y = _mm512_fmadd_ps(alpha, sums[r][v], bias);
      if (t->add) y = _mm512_add_ps(y, _mm512_maskz_loadu_ps(mask, t->add + r * t->ldadd + 16 * v));
      _mm512_mask_storeu_ps(t->c + r * t->ldc + 16 * v, mask, y);
    }
  }
}

#define TILE(rows)                                                                                                     \
  SW_512 static void tile_##rows##_1(const tile *t) { multiply_tile(rows, 1, t); }                                     \
  SW_512 static void tile_##rows##_2(const tile *t) { multiply_tile(rows, 2, t); }
TILE(1) TILE(2) TILE(3) TILE(4) TILE(5) TILE(6) TILE(7) TILE(8) TILE(9) TILE(10) TILE(11) TILE(12) TILE(13) TILE(14)

typedef void (*tile_function)(const tile *);
#define PAIR(rows) {tile_##rows##_1, tile_##rows##_2},
static const tile_function tiles[block_rows][2] = {PAIR(1) PAIR(2) PAIR(3) PAIR(4) PAIR(5) PAIR(6) PAIR(7) PAIR(8)
                                                       PAIR(9) PAIR(10) PAIR(11) PAIR(12) PAIR(13) PAIR(14)};

// Rows that are a multiple of 4 KiB apart evict each other from the L1 cache, so they are copied first.
static int collide(int64_t lda) { return lda % 1024 == 0; }

// The number of columns that the panel at `column` has room for: 32, or 16 when at most 16 columns are left.
static int64_t lanes_at(int64_t column, int64_t columns) { return columns - column > 16 ? panel : 16; }

static int64_t block_size(int64_t n, int64_t k) { return (n + panel - 1) / panel * panel * k; }

static void pack_block(const sw_product *p, int64_t column, int64_t columns, int64_t begin, int64_t k, float *packed) {
  for (int64_t c = 0; c < columns; c += panel) {
    const int64_t lanes = lanes_at(c, columns), count = columns - c < lanes ? columns - c : lanes;
    pack_panel(p, column + c, count, lanes, begin, k, packed + c * k);
    if (p->adapter.rank) adapt_panel(p, column + c, count, lanes, begin, k, packed + c * k);
  }
}

static void multiply_block(const sw_product *p, int64_t column, int64_t columns, int64_t begin, int64_t k,
                           const float *packed, float *rows) {
  const int64_t blocks = (p->m + block_rows - 1) / block_rows;
  for (int64_t block = 0; block < blocks; block++) {
    // Blocks of nearly equal size: a last block of one or two rows would leave most registers unused.
    const int64_t first = p->m * block / blocks, count = p->m * (block + 1) / blocks - first;
    const float *a = p->a + (p->transpose_a ? begin * p->lda + first : first * p->lda + begin);
    int64_t row = p->transpose_a ? 1 : p->lda, step = p->transpose_a ? p->lda : 1;
    if (!p->transpose_a && collide(p->lda)) {
      const int64_t after = p->m - first - count;
      copy_rows(a, p->lda, count, k, after < block_rows ? after : block_rows, rows);
      a = rows;
      row = row_stride;
    }
    for (int64_t c = 0; c < columns; c += panel) {
      const int64_t lanes = lanes_at(c, columns), left = columns - c < lanes ? columns - c : lanes;
      float *y = p->c + first * p->ldc + column + c;
      const int opens = begin == 0;
      tile t = {k, row, step, a, packed + c * k, opens && p->bias ? p->bias + column + c : NULL,
                opens ? (p->add ? p->add + first * p->ldadd + column + c : NULL) : y, y,
                opens ? p->ldadd : p->ldc, p->ldc, p->alpha, (__mmask16)(0xffff >> ((lanes - left) & 15))};
      tiles[count - 1][lanes / 16 - 1](&t);
    }
  }
}

static int has_own_kernel(void) {
  static int known; // 0: not known yet, 1: no, 2: yes; all threads find the same
  int found = __atomic_load_n(&known, __ATOMIC_RELAXED);
  if (!found) {
    __builtin_cpu_init();
    found = 1 + (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&
                 __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq"));
    __atomic_store_n(&known, found, __ATOMIC_RELAXED);
  }
  return found == 2;
}

static void multiply_by_panels(const sw_product *p) {
  const int64_t columns = p->n < width ? p->n : width, k = p->k < depth ? p->k : depth;
  const int64_t size = p->packed ? 0 : block_size(columns, k);
  float *rows = sw_allocate(block_rows * row_stride + size), *packed = rows + block_rows * row_stride;
  for (int64_t column = 0; column < p->n; column += width)
    for (int64_t begin = 0; begin < p->k; begin += depth) {
      const int64_t n = p->n - column < width ? p->n - column : width, k = p->k - begin < depth ? p->k - begin : depth;
      if (!p->packed) pack_block(p, column, n, begin, k, packed);
      multiply_block(p, column, n, begin, k, p->packed ? p->packed : packed, rows);
    }
  sw_free(rows);
}
#else
static int has_own_kernel(void) { return 0; }
static void multiply_by_panels(const sw_product *p) { multiply_by_library(p); }
static void pack_block(const sw_product *p, int64_t column, int64_t columns, int64_t begin, int64_t k, float *packed) {}
static int64_t block_size(int64_t n, int64_t k) { return 0; }
enum { width = 0, depth = 0 };
#endif

int64_t sw_packed_size(int64_t n, int64_t k) {
  return n <= width && k <= depth && has_own_kernel() ? block_size(n, k) : 0;
}

const float *sw_pack(const sw_product *p, float *packed) {
  if (sw_packed_size(p->n, p->k) == 0) return NULL;
  pack_block(p, 0, p->n, 0, p->k, packed);
  return packed;
}

void sw_multiply(const sw_product *p) {
  if (p->m <= 0 || p->n <= 0) return;
  if (p->k > 0 && has_own_kernel()) multiply_by_panels(p);
  else if (p->k > 0 && !p->transpose_a) sw_multiply_portable(p);
  else multiply_by_library(p);
}
