// exp, erf and functions made of them, as straight-line code that the compiler vectorizes.
#pragma once
#include "dispatch.h"
#include <stdint.h>
#include <string.h>

// e^x = 2^n e^r with |r| <= ln(2)/2. e^r is the polynomial of degree 5 that is 1 at 0 and has the smallest maximum
// error (9e-8; fitted by iteratively reweighted least squares). The relative error of the result is below 2e-7. Adding
// 1.5 2^23 (12582912) rounds x/ln(2) to an integer in the low bits of the sum, from where it is added to the exponent
// of the polynomial. n ln(2) is subtracted in two parts; the first has so few bits that its product with n is exact.
SW_INLINE float sw_expf(float x) {
  x = x < -87.0f ? -87.0f : x;
  x = x > 88.0f ? 88.0f : x;
  const float large = x * 1.44269504f + 12582912.0f, n = large - 12582912.0f;
  float r = x - n * 0.693359375f;
  r = r + n * 2.12194440e-4f;
  float p = 8.290308258e-3f;
  p = p * r + 4.189796502e-2f;
  p = p * r + 1.666763649e-1f;
  p = p * r + 4.999914927e-1f;
  p = p * r + 9.999997071e-1f;
  p = p * r + 1.0f;
  uint32_t bits, exponent;
  memcpy(&bits, &p, 4);
  memcpy(&exponent, &large, 4);
  bits += exponent << 23;
  memcpy(&p, &bits, 4);
  return p;
}

SW_INLINE float sw_sigmoidf(float x) { return 1.0f / (1.0f + sw_expf(-x)); }

// erf(x) = x P(x²)/Q(x²) for |x| <= 3.92, where it differs from 1 by 3e-8. P and Q have the smallest maximum error
// (fitted by iteratively reweighted least squares): 1.4e-9 before rounding, 3.5e-7 in float.
SW_INLINE float sw_erff(float x) {
  x = x < -3.92f ? -3.92f : x;
  x = x > 3.92f ? 3.92f : x;
  const float z = x * x;
  float p = -1.333647506e-08f;
  p = p * z + 4.717882986e-06f;
  p = p * z + 3.803753095e-04f;
  p = p * z + 3.832434516e-03f;
  p = p * z + 5.427855981e-02f;
  p = p * z + 1.847022946e-01f;
  p = p * z + 1.128379181f;
  float q = 6.341979295e-05f;
  q = q * z + 1.305046032e-03f;
  q = q * z + 1.543106980e-02f;
  q = q * z + 1.137761075e-01f;
  q = q * z + 4.970216749e-01f;
  q = q * z + 1.0f;
  return x * p / q;
}

// The distribution function Phi and the density of the standard normal distribution: gelu(x) = x Phi(x).
SW_INLINE float sw_normal_cdf(float x) { return 0.5f * (1.0f + sw_erff(x * 0.70710678f)); }
SW_INLINE float sw_normal_pdf(float x) { return 0.39894228f * sw_expf(-0.5f * x * x); }

typedef float sw_lanes __attribute__((ext_vector_type(16), aligned(4)));

// The largest of x and `top`, in explicit lanes: for a scalar loop the compiler must respect NaN, keeps one running
// maximum in one register, and every element waits for the one before.
SW_INLINE float sw_largest(int64_t n, const float *x, float top) {
  sw_lanes even = top, odd = top;
  int64_t i = 0;
  for (; i + 32 <= n; i += 32) {
    const sw_lanes a = *(const sw_lanes *)(x + i), b = *(const sw_lanes *)(x + i + 16);
    even = a > even ? a : even;
    odd = b > odd ? b : odd;
  }
  even = odd > even ? odd : even;
  for (int lane = 0; lane < 16; lane++) top = even[lane] > top ? even[lane] : top;
  for (; i < n; i++) top = x[i] > top ? x[i] : top;
  return top;
}
