// Group norm over NHWC, with SiLU in the same pass. Sums are per channel, in float within a block of positions and in
// double over the blocks, of differences from the first value of the channel, so that a large mean costs no precision.
#include "functions.h"
#include "kernels.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { block = 64 };

typedef struct {
  int64_t positions, channels, groups;
  float epsilon;
  int silu;
  const float *x, *gamma, *beta, *statistics_in, *g;
  float *y, *statistics, *channel_sums;
} norm_work;

// s[c] += sum of (x - x0), q[c] += sum of squares, over `rows` positions
SW_KERNEL static void channel_moments(int64_t rows, int64_t channels, const float *restrict x,
                                      const float *restrict origin, float *restrict s, float *restrict q) {
  for (int64_t r = 0; r < rows; r++)
    for (int64_t c = 0; c < channels; c++) {
      const float d = x[r * channels + c] - origin[c];
      s[c] += d;
      q[c] += d * d;
    }
}

// y may be x itself: every value is read before it is written.
SW_KERNEL static void apply(int64_t rows, int64_t channels, int silu, const float *x, const float *restrict a,
                            const float *restrict b, float *y) {
  for (int64_t r = 0; r < rows; r++)
    if (silu) {
#pragma clang loop vectorize(assume_safety)
      for (int64_t c = 0; c < channels; c++) {
        const float z = x[r * channels + c] * a[c] + b[c];
        y[r * channels + c] = z * sw_sigmoidf(z);
      }
    } else {
#pragma clang loop vectorize(assume_safety)
      for (int64_t c = 0; c < channels; c++) y[r * channels + c] = x[r * channels + c] * a[c] + b[c];
    }
}

// a and b of each channel, such that the norm is y = a x + b
static void coefficients(const norm_work *w, const float *statistics, float *a, float *b) {
  const int64_t width = w->channels / w->groups;
  for (int64_t c = 0; c < w->channels; c++) {
    const float mean = statistics[2 * (c / width)], scale = statistics[2 * (c / width) + 1];
    a[c] = w->gamma[c] * scale;
    b[c] = w->beta[c] - mean * a[c];
  }
}

static void moments(const norm_work *w, const float *x, float *statistics) {
  const int64_t channels = w->channels, width = channels / w->groups;
  float *s = sw_allocate(2 * channels), *q = s + channels;
  double *sums = calloc(2 * channels, sizeof(double)), *squares = sums + channels;
  if (!sums) abort();
  for (int64_t p = 0; p < w->positions; p += block) {
    const int64_t rows = w->positions - p < block ? w->positions - p : block;
    memset(s, 0, 2 * channels * sizeof(float));
    channel_moments(rows, channels, x + p * channels, x, s, q);
    for (int64_t c = 0; c < channels; c++) sums[c] += s[c], squares[c] += q[c];
  }
  const double n = (double)w->positions, total = n * width;
  for (int64_t group = 0; group < w->groups; group++) {
    double mean = 0, second = 0;
    for (int64_t c = group * width; c < (group + 1) * width; c++) mean += (x[c] + sums[c] / n) / width;
    for (int64_t c = group * width; c < (group + 1) * width; c++) {
      const double own = x[c] + sums[c] / n;
      second += squares[c] - sums[c] * sums[c] / n + n * (own - mean) * (own - mean);
    }
    statistics[2 * group] = (float)mean;
    statistics[2 * group + 1] = (float)(1.0 / sqrt(second / total + w->epsilon));
  }
  free(sums);
  sw_free(s);
}

typedef struct {
  const norm_work *norm;
  const float *x, *a, *b;
  float *y;
} apply_work;

static void apply_part(void *context, int64_t begin, int64_t end) {
  const apply_work *w = context;
  const int64_t c = w->norm->channels;
  apply(end - begin, c, w->norm->silu, w->x + begin * c, w->a, w->b, w->y + begin * c);
}

static void norm_images(void *context, int64_t begin, int64_t end) {
  const norm_work *w = context;
  float *a = sw_allocate(2 * w->channels), *b = a + w->channels;
  for (int64_t i = begin; i < end; i++) {
    float *statistics = w->statistics + 2 * i * w->groups;
    const int64_t at = i * w->positions * w->channels;
    moments(w, w->x + at, statistics);
    coefficients(w, statistics, a, b);
    apply_work work = {w, w->x + at, a, b, w->y + at};
    sw_parallel(w->positions, 1 + 8192 / w->channels, apply_part, &work);
  }
  sw_free(a);
}

void sw_group_norm(int64_t batch, int64_t positions, int64_t channels, int64_t groups, float epsilon, int silu,
                   const float *x, const float *gamma, const float *beta, float *y, float *statistics) {
  norm_work w = {positions, channels, groups, epsilon, silu, x, gamma, beta, 0, 0, y, statistics, 0};
  if (batch == 1) norm_images(&w, 0, 1);
  else sw_parallel(batch, 1, norm_images, &w);
}

// Gradient -----------------------------------------------------------------------------------------------------------
// With h = g silu'(z) (or g), per group of n values: gx = r (gamma h - mean(gamma h) - xhat mean(gamma h xhat)).

SW_INLINE float through(float g, float z, int silu) {
  if (!silu) return g;
  const float s = sw_sigmoidf(z);
  return g * s * (1.0f + z * (1.0f - s));
}

// s[c] += sum of h, q[c] += sum of h (x - mean)
SW_KERNEL static void gradient_moments(int64_t rows, int64_t channels, int silu, const float *restrict x,
                                       const float *restrict g, const float *restrict a, const float *restrict b,
                                       const float *restrict mean, float *restrict s, float *restrict q) {
  for (int64_t r = 0; r < rows; r++) {
    const float *xr = x + r * channels, *gr = g + r * channels;
    if (silu)
      for (int64_t c = 0; c < channels; c++) {
        const float h = through(gr[c], xr[c] * a[c] + b[c], 1);
        s[c] += h;
        q[c] += h * (xr[c] - mean[c]);
      }
    else
      for (int64_t c = 0; c < channels; c++) {
        s[c] += gr[c];
        q[c] += gr[c] * (xr[c] - mean[c]);
      }
  }
}

// gx = a h - shift - slope (x - mean)
SW_KERNEL static void gradient_apply(int64_t rows, int64_t channels, int silu, const float *restrict x,
                                     const float *restrict g, const float *restrict a, const float *restrict b,
                                     const float *restrict mean, const float *restrict shift,
                                     const float *restrict slope, float *restrict gx) {
  for (int64_t r = 0; r < rows; r++) {
    const float *xr = x + r * channels, *gr = g + r * channels;
    float *out = gx + r * channels;
    if (silu)
      for (int64_t c = 0; c < channels; c++)
        out[c] = a[c] * through(gr[c], xr[c] * a[c] + b[c], 1) - shift[c] - slope[c] * (xr[c] - mean[c]);
    else
      for (int64_t c = 0; c < channels; c++) out[c] = a[c] * gr[c] - shift[c] - slope[c] * (xr[c] - mean[c]);
  }
}

static void gradient_images(void *context, int64_t begin, int64_t end) {
  const norm_work *w = context;
  const int64_t channels = w->channels, width = channels / w->groups;
  float *a = sw_allocate(7 * channels), *b = a + channels, *mean = b + channels, *shift = mean + channels,
        *slope = shift + channels, *s = slope + channels, *q = s + channels;
  double *sums = calloc(2 * channels, sizeof(double)), *dots = sums + channels;
  if (!sums) abort();
  for (int64_t i = begin; i < end; i++) {
    const int64_t at = i * w->positions * channels;
    const float *statistics = w->statistics_in + 2 * i * w->groups, *x = w->x + at, *g = w->g + at;
    coefficients(w, statistics, a, b);
    for (int64_t c = 0; c < channels; c++) mean[c] = statistics[2 * (c / width)];
    memset(sums, 0, 2 * channels * sizeof(double));
    for (int64_t p = 0; p < w->positions; p += block) {
      const int64_t rows = w->positions - p < block ? w->positions - p : block;
      memset(s, 0, 2 * channels * sizeof(float));
      gradient_moments(rows, channels, w->silu, x + p * channels, g + p * channels, a, b, mean, s, q);
      for (int64_t c = 0; c < channels; c++) sums[c] += s[c], dots[c] += q[c];
    }
    const double total = (double)w->positions * width;
    for (int64_t group = 0; group < w->groups; group++) {
      const double scale = statistics[2 * group + 1];
      double sum = 0, dot = 0;
      for (int64_t c = group * width; c < (group + 1) * width; c++) {
        sum += w->gamma[c] * sums[c];
        dot += w->gamma[c] * dots[c];
      }
      for (int64_t c = group * width; c < (group + 1) * width; c++) {
        shift[c] = (float)(scale * sum / total);
        slope[c] = (float)(scale * scale * scale * dot / total);
      }
    }
    gradient_apply(w->positions, channels, w->silu, x, g, a, b, mean, shift, slope, w->y + at);
    for (int64_t c = 0; w->channel_sums && c < channels; c++) {
      w->channel_sums[2 * i * channels + c] = (float)(dots[c] * statistics[2 * (c / width) + 1]);
      w->channel_sums[(2 * i + 1) * channels + c] = (float)sums[c];
    }
  }
  free(sums);
  sw_free(a);
}

void sw_group_norm_gradient(int64_t batch, int64_t positions, int64_t channels, int64_t groups, int silu,
                            const float *x, const float *gamma, const float *beta, const float *statistics,
                            const float *g, float *gx, float *ggamma, float *gbeta) {
  float *sums = ggamma ? sw_allocate(2 * batch * channels) : NULL;
  norm_work w = {positions, channels, groups, 0, silu, x, gamma, beta, statistics, g, gx, 0, sums};
  sw_parallel(batch, 1, gradient_images, &w);
  if (!ggamma) return;
  memset(ggamma, 0, channels * sizeof(float));
  memset(gbeta, 0, channels * sizeof(float));
  for (int64_t i = 0; i < batch; i++) {
    sw_axpy(channels, 1, sums + 2 * i * channels, ggamma);
    sw_axpy(channels, 1, sums + (2 * i + 1) * channels, gbeta);
  }
  sw_free(sums);
}
