// AdamW, and half-precision storage.
#include "dispatch.h"
#include "kernels.h"
#include <math.h>
#include <string.h>

typedef struct {
  float rate, beta1, beta2, epsilon, decay, correction1, correction2_root;
  const float *g;
  float *m, *v, *p;
} adamw_work;

SW_KERNEL static void adamw_run(int64_t n, const adamw_work *w, const float *restrict g, float *restrict m,
                                float *restrict v, float *restrict p) {
  const float beta1 = w->beta1, beta2 = w->beta2, step = w->rate / w->correction1, keep = 1 - w->rate * w->decay;
  const float root = w->correction2_root, epsilon = w->epsilon;
  for (int64_t i = 0; i < n; i++) {
    m[i] = beta1 * m[i] + (1 - beta1) * g[i];
    v[i] = beta2 * v[i] + (1 - beta2) * g[i] * g[i];
    p[i] = p[i] * keep - step * m[i] / (sqrtf(v[i]) / root + epsilon);
  }
}

static void adamw_part(void *context, int64_t begin, int64_t end) {
  const adamw_work *w = context;
  adamw_run(end - begin, w, w->g + begin, w->m + begin, w->v + begin, w->p + begin);
}

void sw_adamw(int64_t n, float rate, float beta1, float beta2, float epsilon, float decay, float correction1,
              float correction2_root, const float *g, float *m, float *v, float *p) {
  adamw_work w = {rate, beta1, beta2, epsilon, decay, correction1, correction2_root, g, m, v, p};
  sw_parallel(n, 16384, adamw_part, &w);
}

SW_KERNEL static float squares(int64_t n, const float *x) {
  SW_REASSOCIATE
  float sum = 0;
  for (int64_t i = 0; i < n; i++) sum += x[i] * x[i];
  return sum;
}

double sw_sum_of_squares(int64_t n, const float *x) {
  double sum = 0;
  for (int64_t i = 0; i < n; i += 4096) sum += squares(n - i < 4096 ? n - i : 4096, x + i);
  return sum;
}

void sw_from_bfloat(int64_t n, const uint16_t *x, float *y) {
  for (int64_t i = 0; i < n; i++) {
    const uint32_t bits = (uint32_t)x[i] << 16;
    memcpy(y + i, &bits, 4);
  }
}

// Every half is a float: shift the fields, then scale by 2^112, which also makes subnormals right.
void sw_from_half(int64_t n, const uint16_t *x, float *y) {
  for (int64_t i = 0; i < n; i++) {
    uint32_t bits = (uint32_t)(x[i] & 0x7fff) << 13;
    float value;
    memcpy(&value, &bits, 4);
    value *= 0x1p112f;
    memcpy(&bits, &value, 4);
    if ((x[i] & 0x7c00) == 0x7c00) bits |= 0x7f800000u;
    bits |= (uint32_t)(x[i] & 0x8000) << 16;
    memcpy(y + i, &bits, 4);
  }
}

// Rounds to nearest, ties to even; too large becomes infinity.
void sw_to_half(int64_t n, const float *x, uint16_t *y) {
  for (int64_t i = 0; i < n; i++) {
    uint32_t bits;
    memcpy(&bits, x + i, 4);
    const uint16_t sign = (uint16_t)(bits >> 16 & 0x8000);
    bits &= 0x7fffffff;
    uint16_t half;
    if (bits > 0x7f800000) half = 0x7e00;
    else if (bits >= 0x477ff000) half = 0x7c00;
    else if (bits < 0x38800000) { // subnormal half: let float addition round at 2^-24
      float value;
      memcpy(&value, &bits, 4);
      value += 0.5f;
      uint32_t sum;
      memcpy(&sum, &value, 4);
      half = (uint16_t)(sum - 0x3f000000);
    } else {
      const uint32_t odd = bits >> 13 & 1;
      half = (uint16_t)((bits - 0x38000000 + 0xfff + odd) >> 13);
    }
    y[i] = sign | half;
  }
}
