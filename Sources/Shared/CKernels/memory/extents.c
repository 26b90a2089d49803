// See extents.h. A request takes the free extents that need the fewest new pages, because the system fills every new
// page with zeros: the smallest kept extent that is large enough, or else neighbours, kept and bare, joined.
#include "extents.h"
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

enum { huge_page = 1 << 21 };
static const int64_t region = (int64_t)1 << 30;

static sw_extent *first_free;
static int64_t kept_bytes;

static void list(sw_extent *e) {
  e->last = NULL;
  e->next = first_free;
  if (first_free) first_free->last = e;
  first_free = e;
  if (e->state == sw_extent_kept) kept_bytes += e->bytes;
}

static void unlist(sw_extent *e) {
  if (e->last) e->last->next = e->next;
  else first_free = e->next;
  if (e->next) e->next->last = e->last;
  if (e->state == sw_extent_kept) kept_bytes -= e->bytes;
}

// Joins the extent after e to e; neither may be listed.
static void absorb_next(sw_extent *e) {
  sw_extent *gone = e->after;
  e->bytes += gone->bytes;
  e->after = gone->after;
  if (e->after) e->after->before = e;
  free(gone);
}

// Lists a free extent, joined with neighbours of the same state.
static void list_joined(sw_extent *e) {
  if (e->after && e->after->state == e->state) {
    unlist(e->after);
    absorb_next(e);
  }
  if (e->before && e->before->state == e->state) {
    e = e->before;
    unlist(e);
    absorb_next(e);
  }
  list(e);
}

// Cuts e, which must not be listed, after `bytes`. Returns the rest, which has the state of e and is not listed, or
// NULL when there is no memory for its description.
static sw_extent *cut(sw_extent *e, int64_t bytes) {
  sw_extent *rest = malloc(sizeof *rest);
  if (!rest) return NULL;
  *rest = (sw_extent){e->begin + bytes, e->bytes - bytes, e->state, e, e->after, NULL, NULL};
  if (rest->after) rest->after->before = rest;
  e->after = rest;
  e->bytes = bytes;
  return rest;
}

static int64_t whole_pages(int64_t bytes) {
  const int64_t page = sysconf(_SC_PAGESIZE);
  return (bytes + page - 1) / page * page;
}

// Adds address space for at least `bytes`; returns 0 when the system has none. The kernel may map it in huge pages.
static int add_region(int64_t bytes) {
  sw_extent *e = malloc(sizeof *e);
  if (!e) return 0;
  const int64_t size = bytes > region ? (bytes + huge_page - 1) / huge_page * huge_page : region;
  void *memory = mmap(NULL, (size_t)size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) {
    free(e);
    return 0;
  }
#ifdef MADV_HUGEPAGE
  madvise(memory, (size_t)size, MADV_HUGEPAGE); // advice: a refusal changes nothing
#endif
  *e = (sw_extent){memory, size, sw_extent_bare, NULL, NULL, NULL, NULL};
  list(e);
  return 1;
}

// The bytes of new pages that `bytes` from the beginning of e would need, or -1 when there is not that much free space.
static int64_t new_pages(const sw_extent *e, int64_t bytes) {
  int64_t bare = 0;
  for (; e && e->state != sw_extent_used; e = e->after) {
    const int64_t part = e->bytes < bytes ? e->bytes : bytes;
    if (e->state == sw_extent_bare) bare += part;
    bytes -= part;
    if (bytes == 0) return bare;
  }
  return -1;
}

static sw_extent *choose(int64_t bytes) {
  sw_extent *best = NULL;
  int64_t fewest = 0;
  for (sw_extent *e = first_free; e; e = e->next) {
    const int64_t pages = new_pages(e, bytes);
    if (pages < 0 || (best && pages > fewest)) continue;
    if (best && pages == fewest && e->bytes >= best->bytes) continue; // among equals, the smallest
    best = e;
    fewest = pages;
  }
  return best;
}

sw_extent *sw_take_extent(int64_t bytes) {
  bytes = whole_pages(bytes);
  sw_extent *e = choose(bytes);
  if (!e && add_region(bytes)) e = choose(bytes);
  if (!e) return NULL;
  unlist(e);
  while (e->bytes < bytes) {
    sw_extent *next = e->after;
    unlist(next);
    e->state = next->state; // the rest that is cut off below belongs to the last extent
    absorb_next(e);
  }
  sw_extent *rest = e->bytes > bytes ? cut(e, bytes) : NULL;
  if (rest) list(rest);
  e->state = sw_extent_used;
  return e;
}

void sw_give_extent(sw_extent *e) {
  e->state = sw_extent_kept;
  list_joined(e);
}

static sw_extent *largest_kept(void) {
  sw_extent *largest = NULL;
  for (sw_extent *e = first_free; e; e = e->next)
    if (e->state == sw_extent_kept && (!largest || e->bytes > largest->bytes)) largest = e;
  return largest;
}

void sw_keep_in_extents(int64_t most) {
  while (kept_bytes > most) {
    sw_extent *e = largest_kept();
    const int64_t excess = whole_pages(kept_bytes - most);
    unlist(e);
    sw_extent *rest = excess < e->bytes ? cut(e, e->bytes - excess) : NULL;
    if (rest) list(e);
    sw_extent *bare = rest ? rest : e;
    madvise(bare->begin, (size_t)bare->bytes, MADV_DONTNEED); // fails for locked memory, whose pages then stay
    bare->state = sw_extent_bare;
    list_joined(bare);
  }
}
