// One source, three instruction sets: the loader picks the best the CPU has.
#pragma once
#if defined(__x86_64__) && defined(__linux__)
#define SW_KERNEL __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define SW_KERNEL
#endif
#define SW_INLINE static inline __attribute__((always_inline))
// Sums may be reordered, function by function: that is what lets them be vectorised.
#define SW_REASSOCIATE _Pragma("clang fp reassociate(on) contract(fast)")
