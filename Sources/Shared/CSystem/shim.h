// System calls that Swift cannot make: variadic functions and event descriptors.
#pragma once
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <unistd.h>

// prctl is variadic, which Swift cannot call.
static inline int sw_signal_on_parent_death(int signal) { return prctl(PR_SET_PDEATHSIG, signal); }

// An event descriptor that any thread may signal and a poll may watch; close it with close(2).
static inline int sw_waker_open(void) { return eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK); }
static inline void sw_waker_wake(int descriptor) { (void)!eventfd_write(descriptor, 1); }
static inline int sw_waker_clear(int descriptor) {
  eventfd_t count = 0;
  return eventfd_read(descriptor, &count) == 0;
}
