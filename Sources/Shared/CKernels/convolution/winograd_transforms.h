// The transforms of Winograd's F(4x4, 3x3) (Lavin and Gray, arXiv 1509.09308): 4x4 results of a 3x3 convolution from
// 6x6 inputs with 36 multiplications instead of 144, Y = A^T [ (G g G^T) * (B^T d B) ] A, with
//
//     B^T = 4  0 -5  0  1  0     G =  1/4    0    0     A^T = 1  1  1  1  1  0
//           0 -4 -4  1  1  0        -1/6 -1/6 -1/6            0  1 -1  2 -2  0
//           0  4 -4 -1  1  0        -1/6  1/6 -1/6            0  1  1  4  4  0
//           0 -2 -1  2  1  0        1/24 1/12  1/6            0  1 -1  8 -8  1
//           0  2 -1 -2  1  0        1/24 -1/12 1/6
//           0  4  0 -5  0  1           0    0    1
//
// Included once for each value of LANES, the number of channels that one call transforms.
#define PASTE_(a, b) a##b
#define PASTE(a, b) PASTE_(a, b)
#define LANE(name) PASTE(name##_, LANES)
#define VECTOR LANE(vector)
#define LOAD(p) (*(const VECTOR *)(p))
#define STORE(p, x) (*(VECTOR *)(p) = (x))

typedef float VECTOR __attribute__((ext_vector_type(LANES), aligned(4)));

// y[6][6] = B^T d B, columns first; point p is written to v + p * stride.
SW_INLINE void LANE(transform_input)(const float *const *source, int64_t channel, float *v, int64_t stride) {
  VECTOR t[36];
#pragma unroll
  for (int j = 0; j < 12; j++) {
    VECTOR d[6];
#pragma unroll
    for (int i = 0; i < 6; i++) d[i] = j < 6 ? LOAD(source[i * 6 + j] + channel) : t[(j - 6) * 6 + i];
    const VECTOR even = d[4] - 4 * d[2], odd = d[3] - 4 * d[1];
    const VECTOR difference = d[4] - d[2], twice = 2 * (d[3] - d[1]);
    const VECTOR y[6] = {4 * d[0] - 5 * d[2] + d[4], even + odd, even - odd, difference + twice, difference - twice,
                         4 * d[1] - 5 * d[3] + d[5]};
#pragma unroll
    for (int i = 0; i < 6; i++)
      if (j < 6) t[i * 6 + j] = y[i];
      else STORE(v + ((j - 6) * 6 + i) * stride, y[i]);
  }
}

// y[4][4] = A^T m A
SW_INLINE void LANE(transform_output)(const float *m, int64_t stride, VECTOR y[16]) {
  VECTOR t[24];
#pragma unroll
  for (int j = 0; j < 10; j++) {
    VECTOR d[6];
#pragma unroll
    for (int i = 0; i < 6; i++) d[i] = j < 6 ? LOAD(m + (i * 6 + j) * stride) : t[(j - 6) * 6 + i];
    const VECTOR sum12 = d[1] + d[2], sum34 = d[3] + d[4], less12 = d[1] - d[2], less34 = d[3] - d[4];
    const VECTOR z[4] = {d[0] + sum12 + sum34, less12 + 2 * less34, sum12 + 4 * sum34, less12 + 8 * less34 + d[5]};
#pragma unroll
    for (int i = 0; i < 4; i++)
      if (j < 6) t[i * 6 + j] = z[i];
      else y[(j - 6) * 4 + i] = z[i];
  }
}

// y[i][j] = (A^T m A)[i][j] + bias + shift + residual[i][j] for i < rows and j < columns; any term may be NULL. `row`
// and `column` are the distances in floats between neighbouring results.
SW_INLINE void LANE(place_outputs)(const float *m, int64_t stride, const float *bias, const float *shift,
                                   const float *residual, float *y, int64_t row, int64_t column, int64_t rows,
                                   int64_t columns) {
  VECTOR results[16], added = 0.0f;
  if (bias) added += LOAD(bias);
  if (shift) added += LOAD(shift);
  LANE(transform_output)(m, stride, results);
#pragma unroll
  for (int i = 0; i < 4; i++)
#pragma unroll
    for (int j = 0; j < 4; j++) {
      if (i >= rows || j >= columns) continue;
      const int64_t place = i * row + j * column;
      const VECTOR sum = results[i * 4 + j] + added;
      STORE(y + place, residual ? sum + LOAD(residual + place) : sum);
    }
}

// The adjoint of transform_output: m[6][6] = A g A^T
SW_INLINE void LANE(transform_output_gradient)(const float *const *source, int64_t channel, float *m, int64_t stride) {
  VECTOR t[24];
#pragma unroll
  for (int j = 0; j < 10; j++) {
    VECTOR d[4];
#pragma unroll
    for (int i = 0; i < 4; i++) d[i] = j < 4 ? LOAD(source[i * 4 + j] + channel) : t[(j - 4) * 4 + i];
    const VECTOR even = d[0] + d[2], odd = d[1] + d[3], even4 = d[0] + 4 * d[2], odd4 = 2 * d[1] + 8 * d[3];
    const VECTOR z[6] = {d[0], even + odd, even - odd, even4 + odd4, even4 - odd4, d[3]};
#pragma unroll
    for (int i = 0; i < 6; i++)
      if (j < 4) t[i * 4 + j] = z[i];
      else STORE(m + ((j - 4) * 6 + i) * stride, z[i]);
  }
}

// u[6][6] = G w G^T
SW_INLINE void LANE(transform_weight)(const VECTOR w[9], float *u, int64_t stride) {
  VECTOR t[18];
#pragma unroll
  for (int j = 0; j < 9; j++) {
    VECTOR d[3];
#pragma unroll
    for (int i = 0; i < 3; i++) d[i] = j < 3 ? w[i * 3 + j] : t[(j - 3) * 3 + i];
    const VECTOR ends = (d[0] + d[2]) * (-1.0f / 6), middle = d[1] * (1.0f / 6);
    const VECTOR far = d[0] * (1.0f / 24) + d[2] * (1.0f / 6), half = d[1] * (1.0f / 12);
    const VECTOR y[6] = {d[0] * 0.25f, ends - middle, ends + middle, far + half, far - half, d[2]};
#pragma unroll
    for (int i = 0; i < 6; i++)
      if (j < 3) t[i * 3 + j] = y[i];
      else STORE(u + ((j - 3) * 6 + i) * stride, y[i]);
  }
}

// The adjoint of transform_weight: gw[3][3] = G^T u G; tap a is written to gw + a * tap.
SW_INLINE void LANE(transform_weight_gradient)(const float *u, int64_t stride, float *gw, int64_t tap) {
  VECTOR t[18];
#pragma unroll
  for (int j = 0; j < 9; j++) {
    VECTOR d[6];
#pragma unroll
    for (int i = 0; i < 6; i++) d[i] = j < 6 ? LOAD(u + (i * 6 + j) * stride) : t[(j - 6) * 6 + i];
    const VECTOR sum12 = d[1] + d[2], sum34 = d[3] + d[4];
    const VECTOR z[3] = {d[0] * 0.25f - sum12 * (1.0f / 6) + sum34 * (1.0f / 24),
                         (d[2] - d[1]) * (1.0f / 6) + (d[3] - d[4]) * (1.0f / 12),
                         (sum34 - sum12) * (1.0f / 6) + d[5]};
#pragma unroll
    for (int i = 0; i < 3; i++)
      if (j < 6) t[i * 6 + j] = z[i];
      else STORE(gw + ((j - 6) * 3 + i) * tap, z[i]);
  }
}

#undef STORE
#undef LOAD
#undef VECTOR
#undef LANE
#undef PASTE
#undef PASTE_
#undef LANES
