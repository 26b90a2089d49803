// The resampling of 8-bit pictures as in Pillow: bicubic weights (a = -1/2), widened by the scale when shrinking and
// rounded to 22 fractional bits; one pass over the rows and one over the columns, each rounded to 8 bits.

#include "imaging.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

// A sum has 8 bits of a pixel, and 2 bits for the sign and for sums above 1 before clipping, in 32 bits.
enum { FRACTION_BITS = 32 - 8 - 2 };

static double bicubic(double x) {
  const double a = -0.5;
  x = fabs(x);
  if (x < 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
  if (x < 2) return (((x - 5) * x + 8) * x - 4) * a;
  return 0;
}

typedef struct {
  int *first, *count;  // the range of source pixels for each target pixel
  int32_t *weights;    // `width` entries per target pixel
  int width;
} taps;

static void free_taps(taps *t) {
  free(t->first);
  free(t->count);
  free(t->weights);
}

static int make_taps(int source, int target, taps *t) {
  double scale = (double)source / target;
  double stretch = scale < 1 ? 1 : scale;
  double support = 2 * stretch;
  t->width = (int)ceil(support) * 2 + 1;
  t->first = malloc(sizeof(int) * (size_t)target);
  t->count = malloc(sizeof(int) * (size_t)target);
  t->weights = calloc((size_t)target * (size_t)t->width, sizeof(int32_t));
  double *exact = malloc(sizeof(double) * (size_t)t->width);
  if (!t->first || !t->count || !t->weights || !exact) {
    free(exact);
    free_taps(t);
    return 1;
  }
  for (int i = 0; i < target; ++i) {
    double center = (i + 0.5) * scale, total = 0;
    int first = (int)(center - support + 0.5);
    if (first < 0) first = 0;
    int end = (int)(center + support + 0.5);
    if (end > source) end = source;
    int count = end - first;
    for (int k = 0; k < count; ++k) {
      exact[k] = bicubic((k + first - center + 0.5) * (1 / stretch));
      total += exact[k];
    }
    for (int k = 0; k < count; ++k) {
      double weight = total != 0 ? exact[k] / total : exact[k];
      t->weights[(size_t)i * t->width + k] =
        (int32_t)((weight < 0 ? -0.5 : 0.5) + weight * (1 << FRACTION_BITS));
    }
    t->first[i] = first;
    t->count[i] = count;
  }
  free(exact);
  return 0;
}

static uint8_t clip(int32_t sum) {
  int value = sum >> FRACTION_BITS;
  return (uint8_t)(value < 0 ? 0 : value > 255 ? 255 : value);
}

int sw_resize_bicubic(
  const uint8_t *source, int width, int height, uint8_t *target, int target_width, int target_height
) {
  const uint8_t *rows = source;
  uint8_t *between = NULL;
  taps t;
  if (width != target_width) {
    between = malloc((size_t)target_width * height * 3);
    if (!between || make_taps(width, target_width, &t)) {
      free(between);
      return 1;
    }
    for (int y = 0; y < height; ++y) {
      const uint8_t *row = source + (size_t)y * width * 3;
      uint8_t *out = between + (size_t)y * target_width * 3;
      for (int x = 0; x < target_width; ++x) {
        const uint8_t *from = row + (size_t)t.first[x] * 3;
        const int32_t *weight = t.weights + (size_t)x * t.width;
        int32_t r = 1 << (FRACTION_BITS - 1), g = r, b = r;
        for (int k = 0; k < t.count[x]; ++k) {
          r += from[3 * k] * weight[k];
          g += from[3 * k + 1] * weight[k];
          b += from[3 * k + 2] * weight[k];
        }
        out[3 * x] = clip(r);
        out[3 * x + 1] = clip(g);
        out[3 * x + 2] = clip(b);
      }
    }
    free_taps(&t);
    rows = between;
  }
  size_t stride = (size_t)target_width * 3;
  if (height == target_height) {
    memcpy(target, rows, stride * height);
  } else {
    if (make_taps(height, target_height, &t)) {
      free(between);
      return 1;
    }
    for (int y = 0; y < target_height; ++y) {
      const int32_t *weight = t.weights + (size_t)y * t.width;
      const uint8_t *from = rows + (size_t)t.first[y] * stride;
      for (size_t x = 0; x < stride; ++x) {
        int32_t sum = 1 << (FRACTION_BITS - 1);
        for (int k = 0; k < t.count[y]; ++k) sum += from[k * stride + x] * weight[k];
        target[(size_t)y * stride + x] = clip(sum);
      }
    }
    free_taps(&t);
  }
  free(between);
  return 0;
}

static double texel(const uint8_t *source, int width, int height, int x, int y, int channel) {
  if (x < 0 || y < 0 || x >= width || y >= height) return 255;
  return source[((size_t)y * width + x) * 3 + channel];
}

void sw_warp(
  const uint8_t *source, int width, int height, uint8_t *target, int target_width, int target_height,
  const double *m
) {
  for (int y = 0; y < target_height; ++y)
    for (int x = 0; x < target_width; ++x) {
      double u = m[0] * x + m[1] * y + m[2], v = m[3] * x + m[4] * y + m[5];
      // Outside of the source everything is white; the comparison also keeps the conversion to int in range.
      int outside = !(u > -2 && v > -2 && u < width + 1 && v < height + 1);
      int left = outside ? -2 : (int)floor(u), top = outside ? -2 : (int)floor(v);
      double a = outside ? 0 : u - left, b = outside ? 0 : v - top;
      for (int c = 0; c < 3; ++c) {
        double upper = texel(source, width, height, left, top, c) * (1 - a)
          + texel(source, width, height, left + 1, top, c) * a;
        double lower = texel(source, width, height, left, top + 1, c) * (1 - a)
          + texel(source, width, height, left + 1, top + 1, c) * a;
        target[((size_t)y * target_width + x) * 3 + c] = (uint8_t)(upper * (1 - b) + lower * b + 0.5);
      }
    }
}
