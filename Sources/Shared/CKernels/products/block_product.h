// The product inside the Winograd kernels. The operands fit into the L1 cache, nothing is packed, and strides are
// arbitrary. Each element is one sum in the order of k, so its bits depend neither on the number of rows nor on the
// division into blocks.
#pragma once
#include <stdint.h>

enum { sw_block_columns = 16 }; // the number of columns is a multiple of this

/// c[rows, columns] = (add ? c : 0) + a b, where `columns` is a multiple of 16.
/// a[r, k] is a[r * a_row + k * a_step]; b[k, n] is b[k * b_step + n]; c[r, n] is c[r * c_row + n].
typedef struct {
  int64_t rows, columns, depth;
  const float *a, *b;
  float *c;
  int64_t a_row, a_step, b_step, c_row;
  int add;
} sw_block_product;

void sw_multiply_block(const sw_block_product *p);
