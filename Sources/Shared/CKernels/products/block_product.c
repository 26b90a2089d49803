// See block_product.h. A vector holds 16 columns; where the registers of the CPU are narrower, the compiler splits it
// into two or four. A tile of rows x panels vectors stays in registers for the whole sum.
#include "block_product.h"
#include "dispatch.h"

typedef float vector __attribute__((ext_vector_type(16), aligned(4)));

SW_INLINE void tile(const sw_block_product *p, int rows, int panels, const float *a, const float *b, float *c) {
  vector sum[8][4];
#pragma unroll
  for (int r = 0; r < rows; r++)
#pragma unroll
    for (int n = 0; n < panels; n++) sum[r][n] = p->add ? *(const vector *)(c + r * p->c_row + n * 16) : (vector)0.0f;
  const int64_t row = p->a_row, step = p->a_step, b_step = p->b_step;
  for (int64_t k = p->depth; k > 0; k--, a += step, b += b_step) {
    vector right[4];
#pragma unroll
    for (int n = 0; n < panels; n++) right[n] = *(const vector *)(b + n * 16);
#pragma unroll
    for (int r = 0; r < rows; r++) {
      const vector left = (vector)a[r * row];
#pragma unroll
      for (int n = 0; n < panels; n++) sum[r][n] += left * right[n];
    }
  }
#pragma unroll
  for (int r = 0; r < rows; r++)
#pragma unroll
    for (int n = 0; n < panels; n++) *(vector *)(c + r * p->c_row + n * 16) = sum[r][n];
}

SW_INLINE void row_tiles(const sw_block_product *p, int most_rows, int panels, int64_t column) {
  const float *b = p->b + column;
  int64_t r = 0;
  for (; r + most_rows <= p->rows; r += most_rows)
    tile(p, most_rows, panels, p->a + r * p->a_row, b, p->c + r * p->c_row + column);
#pragma unroll
  for (int rows = 1; rows < most_rows; rows++)
    if (p->rows - r == rows) tile(p, rows, panels, p->a + r * p->a_row, b, p->c + r * p->c_row + column);
}

// 32 registers of 16 floats
SW_INLINE void wide(const sw_block_product *p) {
  int64_t n = 0;
  for (; n + 64 <= p->columns; n += 64) row_tiles(p, 6, 4, n);
  switch ((p->columns - n) / 16) {
  case 3: row_tiles(p, 8, 3, n); break;
  case 2: row_tiles(p, 8, 2, n); break;
  case 1: row_tiles(p, 8, 1, n); break;
  }
}

// 16 registers of 8 floats, or 32 of 4
SW_INLINE void narrow(const sw_block_product *p, int most_rows) {
  for (int64_t n = 0; n < p->columns; n += 16) row_tiles(p, most_rows, 1, n);
}

#if defined(__x86_64__)
__attribute__((target("arch=x86-64-v4"), min_vector_width(512))) static void multiply_v4(const sw_block_product *p) {
  wide(p);
}

__attribute__((target("arch=x86-64-v3"))) static void multiply_v3(const sw_block_product *p) { narrow(p, 6); }

static void multiply_default(const sw_block_product *p) { narrow(p, 3); }

void sw_multiply_block(const sw_block_product *p) {
  if (__builtin_cpu_supports("x86-64-v4")) multiply_v4(p);
  else if (__builtin_cpu_supports("x86-64-v3")) multiply_v3(p);
  else multiply_default(p);
}
#else
void sw_multiply_block(const sw_block_product *p) { narrow(p, 6); }
#endif
