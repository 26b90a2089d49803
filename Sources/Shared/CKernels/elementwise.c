// Elementwise kernels and their gradients: one pass over the data, no allocation, any length, with a version of each
// function for every instruction set.

#include "functions.h"
#include "kernels.h"
#include <math.h>
#include <string.h>

enum { grain = 8192 };

// Functions of one value: the function, and its derivative in terms of x and y = f(x).
#define UNARY_FUNCTIONS(F)                                                                                             \
  F(exp, sw_expf(x), y)                                                                                                \
  F(log, logf(x), 1.0f / x)                                                                                            \
  F(sqrt, sqrtf(x), 0.5f / y)                                                                                          \
  F(square, x *x, 2.0f * x)                                                                                            \
  F(tanh, 2.0f * sw_sigmoidf(2.0f * x) - 1.0f, 1.0f - y * y)                                                           \
  F(silu, x *sw_sigmoidf(x), sw_sigmoidf(x) * (1.0f + x * (1.0f - sw_sigmoidf(x))))                                    \
  F(gelu, x *sw_normal_cdf(x), sw_normal_cdf(x) + x * sw_normal_pdf(x))                                                \
  F(quick_gelu, x *sw_sigmoidf(1.702f * x),                                                                            \
    sw_sigmoidf(1.702f * x) * (1.0f + 1.702f * x * (1.0f - sw_sigmoidf(1.702f * x))))                                  \
  F(relu, x > 0 ? x : 0, x > 0 ? 1.0f : 0.0f)                                                                          \
  F(abs, fabsf(x), x > 0 ? 1.0f : x < 0 ? -1.0f : 0.0f)                                                                \
  F(negate, -x, -1.0f)                                                                                                 \
  F(log_sigmoid, (x < 0 ? x : 0) - log1pf(sw_expf(-fabsf(x))), 1.0f - sw_sigmoidf(x))

#define DEFINE(name, forward, derivative)                                                                              \
  SW_KERNEL static void name##_forward(int64_t n, const float *restrict xs, float *restrict ys) {                      \
    for (int64_t i = 0; i < n; i++) {                                                                                  \
      const float x = xs[i];                                                                                           \
      ys[i] = forward;                                                                                                 \
    }                                                                                                                  \
  }                                                                                                                    \
  SW_KERNEL static void name##_backward(int64_t n, const float *restrict xs, const float *restrict ys,                 \
                                        const float *restrict g, float *restrict gx) {                                 \
    for (int64_t i = 0; i < n; i++) {                                                                                  \
      const float x = xs[i], y = ys[i];                                                                                \
      (void)x, (void)y;                                                                                                \
      gx[i] = g[i] * (derivative);                                                                                     \
    }                                                                                                                  \
  }
UNARY_FUNCTIONS(DEFINE)

typedef void (*forward_function)(int64_t, const float *, float *);
typedef void (*backward_function)(int64_t, const float *, const float *, const float *, float *);
#define FORWARD(name, f, d) name##_forward,
#define BACKWARD(name, f, d) name##_backward,
typedef struct {
  int kind;
  const float *x, *y, *g;
  float *out;
} unary_work;

static void unary_part(void *context, int64_t begin, int64_t end) {
  static const forward_function forward[] = {UNARY_FUNCTIONS(FORWARD)};
  const unary_work *w = context;
  forward[w->kind](end - begin, w->x + begin, w->out + begin);
}

static void unary_gradient_part(void *context, int64_t begin, int64_t end) {
  static const backward_function backward[] = {UNARY_FUNCTIONS(BACKWARD)};
  const unary_work *w = context;
  backward[w->kind](end - begin, w->x + begin, w->y + begin, w->g + begin, w->out + begin);
}

void sw_unary(int kind, int64_t n, const float *x, float *y) {
  sw_parallel(n, grain, unary_part, &(unary_work){kind, x, 0, 0, y});
}

void sw_unary_gradient(int kind, int64_t n, const float *x, const float *y, const float *g, float *gx) {
  sw_parallel(n, grain, unary_gradient_part, &(unary_work){kind, x, y, g, gx});
}

// The largest bit pattern without the sign. An infinity or a NaN has all exponent bits set, so its pattern is above
// that of every finite number. The comparison is of integers because a comparison of floats is false for a NaN.
SW_KERNEL static uint32_t largest_bits(int64_t n, const float *x) {
  uint32_t largest = 0;
  for (int64_t i = 0; i < n; i++) {
    uint32_t bits;
    memcpy(&bits, x + i, sizeof bits);
    bits &= 0x7FFFFFFF;
    largest = bits > largest ? bits : largest;
  }
  return largest;
}

int sw_is_finite(int64_t n, const float *x) { return largest_bits(n, x) < 0x7F800000; }

SW_KERNEL void sw_clamp(int64_t n, float lower, float upper, const float *restrict x, float *restrict y) {
  for (int64_t i = 0; i < n; i++) {
    const float low = x[i] < lower ? lower : x[i];
    y[i] = low > upper ? upper : low;
  }
}

SW_KERNEL void sw_clamp_gradient(int64_t n, float lower, float upper, const float *restrict x, const float *restrict g,
                                 float *restrict gx) {
  for (int64_t i = 0; i < n; i++) gx[i] = (x[i] >= lower && x[i] <= upper) ? g[i] : 0.0f;
}

SW_KERNEL void sw_affine(int64_t n, float a, float b, const float *restrict x, float *restrict y) {
  for (int64_t i = 0; i < n; i++) y[i] = a * x[i] + b;
}

SW_KERNEL void sw_axpy(int64_t n, float a, const float *restrict x, float *restrict y) {
  for (int64_t i = 0; i < n; i++) y[i] += a * x[i];
}

SW_KERNEL void sw_extremum_gradient(int64_t n, int minimum, const float *restrict a, const float *restrict b,
                                    const float *restrict g, float *restrict ga, float *restrict gb) {
  const float sign = minimum ? -1.0f : 1.0f;
  for (int64_t i = 0; i < n; i++) {
    const float d = sign * (a[i] - b[i]);
    const float share = d > 0 ? 1.0f : d < 0 ? 0.0f : 0.5f;
    ga[i] = g[i] * share;
    gb[i] = g[i] * (1.0f - share);
  }
}

// Functions of two values, with broadcasting -------------------------------------------------------------------------

#define BINARY_FUNCTIONS(F)                                                                                            \
  F(add, p + q) F(subtract, p - q) F(multiply, p *q) F(divide, p / q) F(maximum, p > q ? p : q)                        \
      F(minimum, p < q ? p : q)

// The innermost axis: the stride of each operand is 1, or 0 when the operand is broadcast.
#define DEFINE_ROW(name, expression)                                                                                   \
  SW_KERNEL static void name##_row(int64_t n, const float *restrict a, int64_t sa, const float *restrict b,            \
                                   int64_t sb, float *restrict y) {                                                    \
    if (sa == 1 && sb == 1)                                                                                            \
      for (int64_t i = 0; i < n; i++) {                                                                                \
        const float p = a[i], q = b[i];                                                                                \
        y[i] = expression;                                                                                             \
      }                                                                                                                \
    else if (sa == 1) {                                                                                                \
      const float q = *b;                                                                                              \
      for (int64_t i = 0; i < n; i++) {                                                                                \
        const float p = a[i];                                                                                          \
        y[i] = expression;                                                                                             \
      }                                                                                                                \
    } else if (sb == 1) {                                                                                              \
      const float p = *a;                                                                                              \
      for (int64_t i = 0; i < n; i++) {                                                                                \
        const float q = b[i];                                                                                          \
        y[i] = expression;                                                                                             \
      }                                                                                                                \
    } else {                                                                                                           \
      const float p = *a, q = *b;                                                                                      \
      for (int64_t i = 0; i < n; i++) y[i] = expression;                                                               \
    }                                                                                                                  \
  }
BINARY_FUNCTIONS(DEFINE_ROW)

typedef void (*row_function)(int64_t, const float *, int64_t, const float *, int64_t, float *);
#define ROW(name, expression) name##_row,
typedef struct {
  row_function row;
  int rank;
  const int64_t *shape, *stride_a, *stride_b;
  const float *a, *b;
  float *y;
} binary_work;

static void binary_rows(void *context, int64_t begin, int64_t end) {
  const binary_work *w = context;
  const int last = w->rank - 1;
  const int64_t n = w->shape[last];
  for (int64_t r = begin; r < end; r++) {
    int64_t rest = r, at_a = 0, at_b = 0;
    for (int axis = last - 1; axis >= 0; axis--) {
      const int64_t i = rest % w->shape[axis];
      rest /= w->shape[axis];
      at_a += i * w->stride_a[axis];
      at_b += i * w->stride_b[axis];
    }
    w->row(n, w->a + at_a, w->stride_a[last], w->b + at_b, w->stride_b[last], w->y + r * n);
  }
}

static void binary_flat(void *context, int64_t begin, int64_t end) {
  const binary_work *w = context;
  const int64_t sa = w->stride_a[0], sb = w->stride_b[0];
  w->row(end - begin, w->a + sa * begin, sa, w->b + sb * begin, sb, w->y + begin);
}

void sw_binary(int kind, int rank, const int64_t *shape, const float *a, const int64_t *stride_a, const float *b,
               const int64_t *stride_b, float *y) {
  static const row_function rows[] = {BINARY_FUNCTIONS(ROW)};
  int64_t outer = 1;
  for (int axis = 0; axis < rank - 1; axis++) outer *= shape[axis];
  binary_work work = {rows[kind], rank, shape, stride_a, stride_b, a, b, y};
  if (rank == 1) sw_parallel(shape[0], grain, binary_flat, &work);
  else sw_parallel(outer, 1 + grain / (shape[rank - 1] + 1), binary_rows, &work);
}

// Gated linear unit --------------------------------------------------------------------------------------------------

typedef struct {
  int64_t f;
  const float *x, *g;
  float *out;
} geglu_work;

SW_KERNEL static void geglu_row(int64_t f, const float *restrict x, float *restrict y) {
  for (int64_t i = 0; i < f; i++) y[i] = x[i] * x[f + i] * sw_normal_cdf(x[f + i]);
}

SW_KERNEL static void geglu_gradient_row(int64_t f, const float *restrict x, const float *restrict g,
                                         float *restrict gx) {
  for (int64_t i = 0; i < f; i++) {
    const float b = x[f + i], cdf = sw_normal_cdf(b);
    gx[i] = g[i] * b * cdf;
    gx[f + i] = g[i] * x[i] * (cdf + b * sw_normal_pdf(b));
  }
}

static void geglu_part(void *context, int64_t begin, int64_t end) {
  const geglu_work *w = context;
  for (int64_t r = begin; r < end; r++) geglu_row(w->f, w->x + r * 2 * w->f, w->out + r * w->f);
}

static void geglu_gradient_part(void *context, int64_t begin, int64_t end) {
  const geglu_work *w = context;
  for (int64_t r = begin; r < end; r++)
    geglu_gradient_row(w->f, w->x + r * 2 * w->f, w->g + r * w->f, w->out + r * 2 * w->f);
}

void sw_geglu(int64_t rows, int64_t f, const float *x, float *y) {
  sw_parallel(rows, 1 + grain / (f + 1), geglu_part, &(geglu_work){f, x, 0, y});
}

void sw_geglu_gradient(int64_t rows, int64_t f, const float *x, const float *g, float *gx) {
  sw_parallel(rows, 1 + grain / (f + 1), geglu_gradient_part, &(geglu_work){f, x, g, gx});
}
