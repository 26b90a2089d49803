// G w G^T of a block of weights, in the layout that the products need: inputs are rows, outputs are columns.
#include "winograd.h"
#include <string.h>

// One step of a perfect shuffle of 16 rows of 16 values; four steps transpose them.
SW_INLINE void shuffle_lines(const vector_16 *a, vector_16 *b) {
#pragma unroll
  for (int i = 0; i < 8; i++) {
    b[2 * i] = __builtin_shufflevector(a[i], a[i + 8], 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
    b[2 * i + 1] =
        __builtin_shufflevector(a[i], a[i + 8], 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
  }
}

SW_INLINE void transpose_16(const float *x, int64_t stride, vector_16 *y) {
  vector_16 a[16], b[16];
#pragma unroll
  for (int i = 0; i < 16; i++) a[i] = *(const vector_16 *)(x + i * stride);
  shuffle_lines(a, b);
  shuffle_lines(b, a);
  shuffle_lines(a, b);
  shuffle_lines(b, y);
}

// taps[a][k] = the weights of tap a from input first + k to the 16 outputs from `out`, and zero beyond the last output.
SW_INLINE void gather_taps(const sw_convolution *s, const float *w, int transposed, int64_t first, int64_t count,
                           int64_t out, vector_16 taps[9][16]) {
  const int64_t in = s->in, outs = s->out, lanes = outs - out < 16 ? outs - out : 16;
  if (transposed)
    for (int64_t k = 0; k < count; k++)
      for (int a = 0; a < 9; a++) {
        const float *from = w + ((first + k) * 9 + 8 - a) * outs + out;
        if (lanes == 16) taps[a][k] = *(const vector_16 *)from;
        else {
          vector_16 some = 0.0f;
          memcpy(&some, from, lanes * sizeof(float));
          taps[a][k] = some;
        }
      }
  else
    for (int a = 0; a < 9; a++) {
      const float *from = w + (out * 9 + a) * in + first;
      if (lanes == 16 && count == 16) transpose_16(from, 9 * in, taps[a]);
      else
        for (int64_t k = 0; k < count; k++)
          for (int64_t o = 0; o < 16; o++) ((float *)&taps[a][k])[o] = o < lanes ? from[o * 9 * in + k] : 0;
    }
}

// The weights of one tap are a contiguous line of inputs (transposed: of outputs), and lines are far apart, which the
// hardware prefetcher does not predict. While one group of sixteen rows of nine lines is transformed, this prefetches
// the next group, nine cache lines per transformed weight.
SW_INLINE void fetch_ahead(const float *next, int64_t line, int64_t step, int64_t i) {
  const float *row = next + (step * 4 + i / 4) * 9 * line;
#pragma unroll
  for (int a = 0; a < 9; a++) {
    const int64_t part = i % 4 * 9 + a;
    __builtin_prefetch(row + part / 4 * line + part % 4 * 16, 0, 2);
  }
}

SW_KERNEL void winograd_weights(const sw_convolution *s, const float *w, int transposed, int64_t block, int64_t out,
                                int64_t columns, int64_t point, float *u) {
  const int64_t first = block * winograd_channels, depth = winograd_depth(s->in, block);
  const int64_t line = transposed ? s->out : s->in, rows = transposed ? depth : columns;
  const int64_t across = transposed ? columns : depth;
  vector_16 taps[9][16];
  for (int64_t row = 0; row < rows; row += 16) {
    const float *next = w + (transposed ? (first + row + 16) * 9 * line + out
                             : row + 16 < rows ? (out + row + 16) * 9 * line + first
                                               : out * 9 * line + first + winograd_channels);
    for (int64_t column = 0; column < across; column += 16) {
      const int64_t k = transposed ? row : column, n = transposed ? column : row;
      const int64_t count = depth - k < 16 ? depth - k : 16;
      gather_taps(s, w, transposed, first + k, count, out + n, taps);
      for (int64_t i = 0; i < count; i++) {
        vector_16 weights[9];
        fetch_ahead(next, line, column / 16, i);
#pragma unroll
        for (int a = 0; a < 9; a++) weights[a] = taps[a][i];
        transform_weight_16(weights, u + (k + i) * columns + n, point);
      }
    }
  }
}
