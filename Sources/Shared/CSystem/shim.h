// System calls that Swift cannot make.
#pragma once
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <unistd.h>

// prctl is variadic, and Swift cannot call variadic C functions.
static inline int sw_signal_on_parent_death(int signal) { return prctl(PR_SET_PDEATHSIG, signal); }

// An event descriptor, which any thread may signal and poll(2) can wait for. Close it with close(2).
static inline int sw_waker_open(void) { return eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK); }
static inline void sw_waker_wake(int descriptor) { (void)!eventfd_write(descriptor, 1); }
static inline int sw_waker_clear(int descriptor) {
  eventfd_t count = 0;
  return eventfd_read(descriptor, &count) == 0;
}
