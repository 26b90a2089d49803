// Memory for tensors. Every step of a computation needs the same sizes as the one before, so freed memory is kept and
// used again: new memory from the kernel costs a page fault per 4 KiB, in which the page is filled with zeros. Small
// blocks are kept by size class, large ones as extents, which can be joined and cut.
#include "extents.h"
#include "kernels.h"
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
  octave_classes = 8, classes = 64 * octave_classes, header = 64, smallest_kept = 4096, smallest_extent = 1 << 18
};

typedef struct block {
  int64_t bytes; // including the header
  int class;     // -1: not kept, or an extent
  sw_extent *extent;
  struct block *next;
} block;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static block *kept[classes];
static int64_t kept_bytes, used_bytes, most_used_bytes; // kept_bytes counts size classes only, not extents

// Eight classes per power of two, so that at most one eighth of a block is wasted.
static int class_of(int64_t bytes, int64_t *rounded) {
  const int octave = 63 - __builtin_clzll((unsigned long long)bytes);
  const int64_t step = ((int64_t)1 << octave) / octave_classes;
  *rounded = (bytes + step - 1) / step * step;
  return octave * octave_classes + (int)(*rounded / step - octave_classes);
}

// Counts bytes as used. Used and kept bytes together never exceed the largest number of bytes that were ever in use:
// the excess is returned to the system, extents first.
static void use(int64_t bytes) {
  used_bytes += bytes;
  if (used_bytes > most_used_bytes) most_used_bytes = used_bytes;
  const int64_t most = most_used_bytes - used_bytes;
  sw_keep_in_extents(most > kept_bytes ? most - kept_bytes : 0);
  for (int c = classes - 1; c >= 0 && kept_bytes > most; c--)
    while (kept[c] && kept_bytes > most) {
      block *b = kept[c];
      kept[c] = b->next;
      kept_bytes -= b->bytes;
      free(b);
    }
}

static block *small_block(int64_t bytes) {
  void *memory = NULL;
  return posix_memalign(&memory, 64, (size_t)bytes) == 0 ? memory : NULL;
}

static block *out_of_memory(int64_t bytes) {
  fprintf(stderr, "out of memory: could not allocate a tensor of %lld bytes; tensors use %lld bytes\n",
          (long long)bytes, (long long)used_bytes);
  abort();
}

static block *take_small(int64_t bytes) {
  const int class = class_of(bytes, &bytes);
  pthread_mutex_lock(&lock);
  block *b = kept[class];
  if (b) {
    kept[class] = b->next;
    kept_bytes -= bytes;
  }
  use(bytes);
  pthread_mutex_unlock(&lock);
  if (!b) b = small_block(bytes);
  if (!b) return out_of_memory(bytes);
  *b = (block){bytes, class, NULL, NULL};
  return b;
}

static block *take_large(int64_t bytes) {
  pthread_mutex_lock(&lock);
  sw_extent *extent = sw_take_extent(bytes);
  if (!extent) return out_of_memory(bytes);
  use(extent->bytes);
  pthread_mutex_unlock(&lock);
  block *b = (block *)extent->begin;
  *b = (block){extent->bytes, -1, extent, NULL};
  return b;
}

float *sw_allocate(int64_t count) {
  const int64_t bytes = header + (count > 0 ? count : 1) * (int64_t)sizeof(float);
  block *b;
  if (bytes >= smallest_extent) b = take_large(bytes);
  else if (bytes >= smallest_kept) b = take_small(bytes);
  else if ((b = small_block(bytes))) *b = (block){bytes, -1, NULL, NULL};
  else b = out_of_memory(bytes);
  return (float *)((char *)b + header);
}

void sw_free(float *pointer) {
  block *b = (block *)((char *)pointer - header);
  if (b->class < 0 && !b->extent) {
    free(b);
    return;
  }
  pthread_mutex_lock(&lock);
  used_bytes -= b->bytes;
  if (b->extent) {
    sw_give_extent(b->extent);
  } else {
    b->next = kept[b->class];
    kept[b->class] = b;
    kept_bytes += b->bytes;
  }
  pthread_mutex_unlock(&lock);
}
