// Memory for tensors. Every step of a computation asks for the same sizes as the one before, so freed blocks are kept,
// by size class, and handed out again: fresh memory from the kernel costs a page fault every 4 KiB.
#include "kernels.h"
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum {
  fineness = 64, classes = 64 * fineness, header = 64, smallest_kept = 4096, smallest_fine = 1 << 18,
  smallest_mapped = 1 << 20, huge_page = 1 << 21
};

typedef struct block {
  int64_t bytes; // with the header
  int class;     // -1: not kept
  struct block *next;
} block;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static block *kept[classes];
static int64_t kept_bytes, used_bytes, most_used_bytes;

// Eight classes to each doubling: at most an eighth is wasted. Sixty-four for larger blocks, of which there are few sizes,
// and often a power of two and a header.
static int class_of(int64_t bytes, int64_t *rounded) {
  const int octave = 63 - __builtin_clzll((unsigned long long)bytes);
  const int64_t finest = ((int64_t)1 << octave) / fineness, step = bytes < smallest_fine ? 8 * finest : finest;
  *rounded = (bytes + step - 1) / step * step;
  return octave * fineness + (int)(*rounded / finest - fineness);
}

// Large blocks are mapped by themselves: between malloc's they would leave holes that nothing else fits.
static void give_back(block *b) {
  if (b->bytes >= smallest_mapped) munmap(b, (size_t)b->bytes);
  else free(b);
}

// Gives kept blocks back, the largest first, until `most` bytes are kept.
static void release_until(int64_t most) {
  for (int c = classes - 1; c >= 0 && kept_bytes > most; c--)
    while (kept[c] && kept_bytes > most) {
      block *b = kept[c];
      kept[c] = b->next;
      kept_bytes -= b->bytes;
      give_back(b);
    }
}

// The whole huge pages within a block may be mapped at once; the rest stays in small ones, so nothing is wasted.
static void *advised(void *memory, int64_t bytes) {
#ifdef MADV_HUGEPAGE
  const uintptr_t begin = ((uintptr_t)memory + huge_page - 1) / huge_page * huge_page;
  const uintptr_t end = ((uintptr_t)memory + (uintptr_t)bytes) / huge_page * huge_page;
  if (end > begin) madvise((void *)begin, end - begin, MADV_HUGEPAGE); // advice: a refusal changes nothing
#endif
  return memory;
}

static void *taken(int64_t bytes) {
  void *memory = NULL;
  if (bytes < smallest_mapped) return posix_memalign(&memory, 64, (size_t)bytes) == 0 ? advised(memory, bytes) : NULL;
  memory = mmap(NULL, (size_t)bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  return memory == MAP_FAILED ? NULL : advised(memory, bytes);
}

static block *fresh(int64_t bytes) {
  block *b = taken(bytes);
  if (b) return b;
  pthread_mutex_lock(&lock);
  release_until(0);
  pthread_mutex_unlock(&lock);
  b = taken(bytes);
  if (b) return b;
  fprintf(stderr, "out of memory: %lld bytes for a tensor, with %lld in use\n", (long long)bytes, (long long)used_bytes);
  abort();
}

float *sw_allocate(int64_t count) {
  int64_t bytes = header + (count > 0 ? count : 1) * (int64_t)sizeof(float);
  block *b = NULL;
  int class = -1;
  if (bytes >= smallest_kept) {
    class = class_of(bytes, &bytes);
    pthread_mutex_lock(&lock);
    b = kept[class];
    if (b) {
      kept[class] = b->next;
      kept_bytes -= bytes;
    }
    used_bytes += bytes;
    if (used_bytes > most_used_bytes) most_used_bytes = used_bytes;
    // Blocks of other sizes that nobody asks for make room for this one.
    if (!b && kept_bytes > most_used_bytes - used_bytes) release_until(most_used_bytes - used_bytes);
    pthread_mutex_unlock(&lock);
  }
  if (!b) b = fresh(bytes);
  b->bytes = bytes;
  b->class = class;
  return (float *)((char *)b + header);
}

void sw_free(float *pointer) {
  block *b = (block *)((char *)pointer - header);
  if (b->class < 0) {
    free(b);
    return;
  }
  pthread_mutex_lock(&lock);
  used_bytes -= b->bytes;
  // What is in use and what is kept together never exceed the most that was ever in use.
  int keep = used_bytes + kept_bytes + b->bytes <= most_used_bytes;
  if (keep) {
    b->next = kept[b->class];
    kept[b->class] = b;
    kept_bytes += b->bytes;
  }
  pthread_mutex_unlock(&lock);
  if (!keep) give_back(b);
}
