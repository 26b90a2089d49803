// Philox 4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011): the n-th number of a stream
// is a function of (key, n), so a stream has no state but its position. The constants are those of the paper.
#include "kernels.h"
#include <math.h>

void sw_philox(uint64_t key, uint64_t counter, uint32_t out[4]) {
  uint32_t x0 = (uint32_t)counter, x1 = (uint32_t)(counter >> 32), x2 = 0, x3 = 0;
  uint32_t k0 = (uint32_t)key, k1 = (uint32_t)(key >> 32);
  for (int round = 0; round < 10; round++) {
    const uint64_t p = (uint64_t)0xD2511F53u * x0, q = (uint64_t)0xCD9E8D57u * x2;
    x0 = (uint32_t)(q >> 32) ^ x1 ^ k0;
    x2 = (uint32_t)(p >> 32) ^ x3 ^ k1;
    x1 = (uint32_t)q;
    x3 = (uint32_t)p;
    k0 += 0x9E3779B9u;
    k1 += 0xBB67AE85u;
  }
  out[0] = x0, out[1] = x1, out[2] = x2, out[3] = x3;
}

// Uniform in (0, 1), never 0 or 1, from the upper 24 bits: all that the significand of a float holds.
static float open_unit(uint32_t x) { return ((x >> 8) + 0.5f) * (1.0f / 16777216.0f); }

void sw_philox_uniform(uint64_t key, uint64_t counter, int64_t n, float *y) {
  uint32_t r[4];
  for (int64_t i = 0; i < n; i++) {
    if (i % 4 == 0) sw_philox(key, counter + i / 4, r);
    y[i] = (r[i % 4] >> 8) * (1.0f / 16777216.0f);
  }
}

// Two normal numbers from two uniform ones, by the method of Box and Muller
void sw_philox_normal(uint64_t key, uint64_t counter, int64_t n, float *y) {
  uint32_t r[4];
  for (int64_t i = 0; i < n; i += 2) {
    if (i % 4 == 0) sw_philox(key, counter + i / 4, r);
    const float radius = sqrtf(-2.0f * logf(open_unit(r[i % 4])));
    const float angle = 6.28318530718f * open_unit(r[i % 4 + 1]);
    y[i] = radius * cosf(angle);
    if (i + 1 < n) y[i + 1] = radius * sinf(angle);
  }
}
