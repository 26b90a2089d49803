// Memory in large pieces, cut from regions of address space. Every address belongs to one extent, which knows its
// neighbours, so that adjacent free extents are joined again. The caller must hold a lock.
#pragma once
#include <stdint.h>

typedef struct sw_extent sw_extent;

struct sw_extent {
  char *begin;
  int64_t bytes;
  /// Used; kept: free, with pages of undefined content; bare: free, without pages.
  enum { sw_extent_used, sw_extent_kept, sw_extent_bare } state;
  sw_extent *before, *after; // neighbours in the address space
  sw_extent *next, *last;    // the list of free extents, in any order
};

/// An extent of at least `bytes`, in whole pages, from kept pages where they suffice. NULL when the system has no
/// memory.
sw_extent *sw_take_extent(int64_t bytes);
/// Frees an extent; its pages are kept.
void sw_give_extent(sw_extent *extent);
/// Returns pages to the system until at most `most` bytes are kept.
void sw_keep_in_extents(int64_t most);
