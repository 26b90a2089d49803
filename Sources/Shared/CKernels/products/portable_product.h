// The product for CPUs without AVX-512.
#pragma once
#include "product_kernel.h"

/// Computes a product whose op(A) is A. An element is the sum over k in one order, whatever m and n are: the values of a
/// row depend neither on the number of rows nor on their position.
void sw_multiply_portable(const sw_product *p);
