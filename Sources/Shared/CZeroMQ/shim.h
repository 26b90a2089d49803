// The calls of libzmq that Transport makes. Each returns its result, or minus the error code: errno is read in the
// same call, so that nothing in between can overwrite it. A call broken off by a signal is made again, except
// sw_zmq_poll, whose caller must look at why it was woken.
#pragma once
#include <errno.h>
#include <malloc.h>
#include <stdint.h>
#include <sys/resource.h>
#include <unistd.h>
#include <zmq.h>

#define SW_ZMQ_RETRY(call)                        \
  do {                                            \
    long sw_result;                               \
    do {                                          \
      sw_result = (long)(call);                   \
    } while (sw_result < 0 && errno == EINTR);    \
    return sw_result < 0 ? -(long)errno : sw_result; \
  } while (0)

// Compiled into 4.3's libraries, but only in its header where drafts are on.
#define SW_ZMQ_ZAP_ENFORCE_DOMAIN 93

static inline long sw_zmq_send(void *socket, const void *bytes, size_t count, int flags) {
  SW_ZMQ_RETRY(zmq_send(socket, bytes, count, flags));
}
static inline long sw_zmq_send_message(void *socket, zmq_msg_t *message, int flags) {
  SW_ZMQ_RETRY(zmq_msg_send(message, socket, flags));
}
static inline long sw_zmq_receive(void *socket, zmq_msg_t *message, int flags) {
  SW_ZMQ_RETRY(zmq_msg_recv(message, socket, flags));
}
static inline long sw_zmq_set(void *socket, int option, const void *value, size_t size) {
  SW_ZMQ_RETRY(zmq_setsockopt(socket, option, value, size));
}
static inline long sw_zmq_get(void *socket, int option, void *value, size_t *size) {
  SW_ZMQ_RETRY(zmq_getsockopt(socket, option, value, size));
}
static inline long sw_zmq_bind(void *socket, const char *endpoint) { SW_ZMQ_RETRY(zmq_bind(socket, endpoint)); }
static inline long sw_zmq_connect(void *socket, const char *endpoint) { SW_ZMQ_RETRY(zmq_connect(socket, endpoint)); }
static inline long sw_zmq_disconnect(void *socket, const char *endpoint) {
  SW_ZMQ_RETRY(zmq_disconnect(socket, endpoint));
}
static inline long sw_zmq_terminate(void *context) { SW_ZMQ_RETRY(zmq_ctx_term(context)); }
static inline long sw_zmq_poll(zmq_pollitem_t *items, int count, long milliseconds) {
  int ready = zmq_poll(items, count, milliseconds);
  return ready < 0 ? -(long)errno : ready;
}

// As many descriptors as the system allows: a process with a thousand peers needs a few each.
static inline void sw_raise_descriptor_limit(void) {
  struct rlimit limit;
  if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
    limit.rlim_cur = limit.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &limit);
  }
}

// Messages of megabytes come and go by the hundred a second. By its defaults malloc gives the memory of each back to the
// kernel, and the next one costs a page fault every 4 KiB, which takes longer than the copying. Each arena keeps 64 MiB
// then, and blocks come from the kernel from 32 MiB on, the most that malloc allows. A refusal costs speed only.
static inline void sw_keep_message_memory(void) {
#ifdef __GLIBC__
  mallopt(M_TRIM_THRESHOLD, 64 << 20);
  mallopt(M_MMAP_THRESHOLD, 32 << 20);
#endif
}
