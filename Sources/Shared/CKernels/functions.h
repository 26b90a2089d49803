// exp, erf and friends as straight-line code that the compiler vectorises.
#pragma once
#include "dispatch.h"
#include <stdint.h>
#include <string.h>

// exp by 2^n e^r, r in +-ln2/2, and a polynomial of degree 6; relative error below 2e-7.
SW_INLINE float sw_expf(float x) {
  x = x < -87.0f ? -87.0f : x;
  x = x > 88.0f ? 88.0f : x;
  float n = x * 1.44269504f;
  n = (n + 12582912.0f) - 12582912.0f; // round to nearest
  float r = x - n * 0.693359375f;
  r = r + n * 2.12194440e-4f;
  float p = 1.0f / 720;
  p = p * r + 1.0f / 120;
  p = p * r + 1.0f / 24;
  p = p * r + 1.0f / 6;
  p = p * r + 0.5f;
  p = p * r + 1.0f;
  p = p * r + 1.0f;
  int32_t bits = ((int32_t)n + 127) << 23;
  float scale;
  memcpy(&scale, &bits, 4);
  return p * scale;
}

SW_INLINE float sw_sigmoidf(float x) { return 1.0f / (1.0f + sw_expf(-x)); }

// erf = 1 - t exp(-x^2 + polynomial(t)), t = 1/(1 + |x|/2): Numerical Recipes 6.2, error below 1.2e-7.
SW_INLINE float sw_erff(float x) {
  float z = x < 0 ? -x : x;
  float t = 1.0f / (1.0f + 0.5f * z);
  float p = 0.17087277f;
  p = p * t - 0.82215223f;
  p = p * t + 1.48851587f;
  p = p * t - 1.13520398f;
  p = p * t + 0.27886807f;
  p = p * t - 0.18628806f;
  p = p * t + 0.09678418f;
  p = p * t + 0.37409196f;
  p = p * t + 1.00002368f;
  p = p * t - 1.26551223f;
  float y = 1.0f - t * sw_expf(-z * z + p);
  return x < 0 ? -y : y;
}

// gelu(x) = x Phi(x), Phi the normal distribution function
SW_INLINE float sw_normal_cdf(float x) { return 0.5f * (1.0f + sw_erff(x * 0.70710678f)); }
SW_INLINE float sw_normal_pdf(float x) { return 0.39894228f * sw_expf(-0.5f * x * x); }
