// The numeric kernels. Arrays are float32, row-major, and contiguous unless a stride is given; images are NHWC. Kernels
// run on the worker threads (sw_set_threads). A gradient is declared next to its function. An output must not alias an
// input unless the comment allows it.
#pragma once
#include <stddef.h>
#include <stdint.h>

// Memory, threads, and the current tape of each thread
float *sw_allocate(int64_t count);
void sw_free(float *pointer);
void sw_set_threads(int count);
int sw_threads(void);
typedef void (*sw_task)(void *context, int64_t begin, int64_t end);
/// Splits 0..<count over the threads into pieces of at least `grain`.
void sw_parallel(int64_t count, int64_t grain, sw_task task, void *context);
void *sw_current_tape(void);
void sw_set_current_tape(void *tape);
int64_t sw_next_tape_identity(void);

// Products
/// c[m, n] = alpha op(a) op(b) + add. add has the shape and stride of c, and may be NULL or c itself.
void sw_gemm(int transpose_a, int transpose_b, int64_t m, int64_t n, int64_t k, float alpha, const float *a,
             int64_t lda, const float *b, int64_t ldb, const float *add, float *c, int64_t ldc);
/// scale up[n, rank] down[rank, k], which is added to a weight w[n, k] while the weight is read.
typedef struct {
  int64_t rank;
  float scale;
  const float *up, *down;
} sw_low_rank;
/// y[m, n] = x[m, k] (w[n, k] + adapter)^T + bias[n] + add[m, n]. Rows of y and add are ldy floats apart; adapter, bias
/// and add may be NULL.
void sw_linear(int64_t m, int64_t n, int64_t k, const float *x, const float *w, const sw_low_rank *adapter,
               const float *bias, const float *add, float *y, int64_t ldy);
/// gx[m, k] = g[m, n] (w[n, k] + adapter) + add. Rows of g are ldg floats apart; adapter and add may be NULL, and add
/// may be gx.
void sw_linear_gradient(int64_t m, int64_t n, int64_t k, const float *g, int64_t ldg, const float *w,
                        const sw_low_rank *adapter, const float *add, float *gx);
/// c[i] = op(a[i]) op(b[i]) for `batch` matrices.
void sw_batched_gemm(int64_t batch, int transpose_a, int transpose_b, int64_t m, int64_t n, int64_t k, const float *a,
                     const float *b, float *c);

// Elementwise
enum {
  SW_EXP, SW_LOG, SW_SQRT, SW_SQUARE, SW_TANH, SW_SILU, SW_GELU, SW_QUICK_GELU, SW_RELU, SW_ABS,
  SW_NEGATE, SW_LOG_SIGMOID, SW_UNARY_COUNT
};
void sw_unary(int kind, int64_t n, const float *x, float *y);
/// gx = g f'(x)
void sw_unary_gradient(int kind, int64_t n, const float *x, const float *y, const float *g, float *gx);
/// 1 when all n floats are finite, 0 when one is a NaN or an infinity.
int sw_is_finite(int64_t n, const float *x);
void sw_clamp(int64_t n, float lower, float upper, const float *x, float *y);
void sw_clamp_gradient(int64_t n, float lower, float upper, const float *x, const float *g, float *gx);
enum { SW_ADD, SW_SUBTRACT, SW_MULTIPLY, SW_DIVIDE, SW_MAXIMUM, SW_MINIMUM, SW_BINARY_COUNT };
/// Strides are in elements, and 0 where an operand is broadcast.
void sw_binary(int kind, int rank, const int64_t *shape, const float *a, const int64_t *stride_a, const float *b,
               const int64_t *stride_b, float *y);
/// y = a x + b
void sw_affine(int64_t n, float a, float b, const float *x, float *y);
/// y += a x
void sw_axpy(int64_t n, float a, const float *x, float *y);
/// Gradients of the maximum (or minimum): the operand that was chosen gets g; at a tie each gets half, as in PyTorch.
void sw_extremum_gradient(int64_t n, int minimum, const float *a, const float *b, const float *g, float *ga, float *gb);
/// y[rows, f] = a gelu(b), where x[rows, 2f] = a | b
void sw_geglu(int64_t rows, int64_t f, const float *x, float *y);
void sw_geglu_gradient(int64_t rows, int64_t f, const float *x, const float *g, float *gx);

// Shape
void sw_permute(int rank, const int64_t *shape, const int64_t *stride, const float *x, float *y);
void sw_copy_rows(int64_t rows, int64_t columns, const float *x, int64_t stride_x, float *y, int64_t stride_y);
void sw_scatter_add_rows(int64_t count, int64_t width, const int64_t *rows, const float *x, float *y);
/// y[outer, inner] = sum of x[outer, reduced, inner]
void sw_sum(int64_t outer, int64_t reduced, int64_t inner, const float *x, float *y);
/// gx[b, i, j, c] = sum of g[b, 2i + 0...1, 2j + 0...1, c]
void sw_doubling_gradient(int64_t batch, int64_t height, int64_t width, int64_t channels, const float *g, float *gx);

// Normalization
void sw_softmax(int64_t rows, int64_t columns, int logarithm, const float *x, float *y);
void sw_softmax_gradient(int64_t rows, int64_t columns, int logarithm, const float *y, const float *g, float *gx);
/// statistics[rows, 2]: mean and 1/std of each row
void sw_layer_norm(int64_t rows, int64_t columns, float epsilon, const float *x, const float *gamma, const float *beta,
                   float *y, float *statistics);
/// ggamma and gbeta may be NULL
void sw_layer_norm_gradient(int64_t rows, int64_t columns, const float *x, const float *gamma, const float *statistics,
                            const float *g, float *gx, float *ggamma, float *gbeta);
/// x[batch, positions, channels]; statistics[batch, groups, 2]: mean and 1/std of each group; with `silu`,
/// y = silu(norm(x)). y may be x.
void sw_group_norm(int64_t batch, int64_t positions, int64_t channels, int64_t groups, float epsilon, int silu,
                   const float *x, const float *gamma, const float *beta, float *y, float *statistics);
void sw_group_norm_gradient(int64_t batch, int64_t positions, int64_t channels, int64_t groups, int silu,
                            const float *x, const float *gamma, const float *beta, const float *statistics,
                            const float *g, float *gx, float *ggamma, float *gbeta);

// Convolution: x[batch, height, width, in], w[out, kernel, kernel, in], y[batch, out_height, out_width, out]. With
// `doubled`, x is [batch, height/2, width/2, in] and is read as if each position were repeated two by two.
typedef struct {
  int64_t batch, height, width, in, out, kernel, stride, pad_top, pad_left, out_height, out_width;
  int doubled;
} sw_convolution;
/// Terms that are added to the result: bias[out], shift[batch, out], residual with the shape of y. Each may be NULL.
typedef struct {
  const float *bias, *shift, *residual;
} sw_convolution_terms;
void sw_conv2d(const sw_convolution *s, const float *x, const float *w, sw_convolution_terms terms, float *y);
/// gx[batch, height, width, in] for g with the shape of y; s->doubled is ignored.
void sw_conv2d_input_gradient(const sw_convolution *s, const float *w, const float *g, float *gx);
void sw_conv2d_weight_gradient(const sw_convolution *s, const float *x, const float *g, float *gw);

// Attention: q[batch, n, heads*d] in rows of q_stride, k and v[batch, m, heads*d] in rows of k_stride, y in rows of
// heads*d; lse[batch, heads, n]: the logarithm of the sum in the softmax
typedef struct {
  int64_t batch, heads, n, m, d, q_stride, k_stride;
  int causal;
  float scale;
} sw_attention_shape;
void sw_attention(const sw_attention_shape *s, const float *q, const float *k, const float *v, float *y, float *lse);
void sw_attention_gradient(const sw_attention_shape *s, const float *q, const float *k, const float *v, const float *y,
                           const float *lse, const float *g, float *gq, float *gk, float *gv);

// Random numbers: Philox 4x32-10
void sw_philox(uint64_t key, uint64_t counter, uint32_t out[4]);
void sw_philox_normal(uint64_t key, uint64_t counter, int64_t n, float *y);
void sw_philox_uniform(uint64_t key, uint64_t counter, int64_t n, float *y);

// Optimizer
void sw_adamw(int64_t n, float rate, float beta1, float beta2, float epsilon, float decay, float correction1,
              float correction2_root, const float *g, float *m, float *v, float *p);
double sw_sum_of_squares(int64_t n, const float *x);
