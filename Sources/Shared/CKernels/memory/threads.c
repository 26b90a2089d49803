// The worker threads, shared by all kernels of the process.
#include "kernels.h"
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <unistd.h>

// Threads ------------------------------------------------------------------------------------------------------------
// A caller wakes the workers and computes one part itself. When the workers are busy with the work of another caller,
// or the caller is itself a worker, the caller computes all parts.

enum { maximum_threads = 64, spins = 4000 };

static pthread_mutex_t owner = PTHREAD_MUTEX_INITIALIZER; // held by the caller that uses the workers
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t wake = PTHREAD_COND_INITIALIZER;
static int threads, started;
static atomic_long generation;
static atomic_int unfinished;
static sw_task task_now;
static void *context_now;
static int64_t count_now;
static int parts_now;
static _Thread_local int inside;

static void run_part(int part) {
  int64_t begin = count_now * part / parts_now, end = count_now * (part + 1) / parts_now;
  if (begin < end) task_now(context_now, begin, end);
}

static void relax(void) {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#endif
}

static void *worker(void *argument) {
  int index = (int)(intptr_t)argument;
  long seen = 0;
  inside = 1;
  for (;;) {
    for (int i = 0; i < spins && atomic_load_explicit(&generation, memory_order_acquire) == seen; i++) relax();
    if (atomic_load_explicit(&generation, memory_order_acquire) == seen) {
      pthread_mutex_lock(&lock);
      while (atomic_load_explicit(&generation, memory_order_acquire) == seen) pthread_cond_wait(&wake, &lock);
      pthread_mutex_unlock(&lock);
    }
    seen = atomic_load_explicit(&generation, memory_order_acquire);
    if (index < parts_now) run_part(index);
    atomic_fetch_sub_explicit(&unfinished, 1, memory_order_acq_rel);
  }
  return NULL;
}

static int cores(void) {
  long n = sysconf(_SC_NPROCESSORS_ONLN);
  return n < 1 ? 1 : n > maximum_threads ? maximum_threads : (int)n;
}

void sw_set_threads(int count) {
  pthread_mutex_lock(&owner);
  threads = count < 1 ? cores() : count > maximum_threads ? maximum_threads : count;
  pthread_mutex_unlock(&owner);
}

int sw_threads(void) { return threads ? threads : cores(); }

static void start_workers(void) {
  while (started < sw_threads() - 1) {
    pthread_t thread;
    if (pthread_create(&thread, NULL, worker, (void *)(intptr_t)(started + 1)) != 0) return;
    pthread_detach(thread);
    started++;
  }
}

// The division of the work depends on the number of threads alone, and never on which workers are free: products of
// other sizes may round differently, and a computation must give the same bits every time.
void sw_parallel(int64_t count, int64_t grain, sw_task task, void *context) {
  if (count <= 0) return;
  const int limit = sw_threads();
  int64_t parts = count / (grain > 0 ? grain : 1);
  parts = parts > limit ? limit : parts;
  if (parts < 2) {
    task(context, 0, count);
    return;
  }
  if (inside || pthread_mutex_trylock(&owner) != 0) {
    for (int64_t part = 0; part < parts; part++) task(context, count * part / parts, count * (part + 1) / parts);
    return;
  }
  start_workers();
  inside = 1;
  task_now = task;
  context_now = context;
  count_now = count;
  parts_now = (int)parts;
  atomic_store_explicit(&unfinished, started, memory_order_release);
  pthread_mutex_lock(&lock);
  atomic_fetch_add_explicit(&generation, 1, memory_order_acq_rel);
  pthread_cond_broadcast(&wake);
  pthread_mutex_unlock(&lock);
  run_part(0);
  for (int part = started + 1; part < parts_now; part++) run_part(part); // parts of workers that could not be started
  for (int i = 0; atomic_load_explicit(&unfinished, memory_order_acquire) > 0; i++)
    if (i < spins) relax();
    else sched_yield();
  inside = 0;
  pthread_mutex_unlock(&owner);
}

// The current tape of each thread ------------------------------------------------------------------------------------

static _Thread_local void *tape;
static atomic_long tapes;

void *sw_current_tape(void) { return tape; }
void sw_set_current_tape(void *new_tape) { tape = new_tape; }
int64_t sw_next_tape_identity(void) { return atomic_fetch_add(&tapes, 1) + 1; }
