// Memory in large pieces, cut from regions of address space. Every address belongs to one extent, which knows its
// neighbours, so that what is given back next to each other becomes one piece again. The caller holds a lock.
#pragma once
#include <stdint.h>

typedef struct sw_extent sw_extent;

struct sw_extent {
  char *begin;
  int64_t bytes;
  /// In use; kept: free, with pages behind it, which hold anything; or bare: free, without.
  enum { sw_extent_used, sw_extent_kept, sw_extent_bare } state;
  sw_extent *before, *after; // in order of addresses
  sw_extent *next, *last;    // among the free ones, in any order
};

/// At least `bytes`, whole pages; from pages that are kept where they suffice. NULL when the system has no more.
sw_extent *sw_take_extent(int64_t bytes);
/// Gives an extent back; its pages are kept.
void sw_give_extent(sw_extent *extent);
/// Gives pages back to the system until at most so many bytes of them are kept.
void sw_keep_in_extents(int64_t most);
