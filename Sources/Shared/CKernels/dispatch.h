// One source, three instruction sets: the loader chooses the best one that the CPU supports.
#pragma once
#if defined(__x86_64__) && defined(__linux__)
#define SW_KERNEL __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define SW_KERNEL
#endif
#define SW_INLINE static inline __attribute__((always_inline))
// Allows the compiler to reorder sums in one function, which it must do to vectorize them.
#define SW_REASSOCIATE _Pragma("clang fp reassociate(on) contract(fast)")
