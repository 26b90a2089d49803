// AdamW, and the sum of squares for gradient clipping.
#include "dispatch.h"
#include "kernels.h"
#include <math.h>

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
