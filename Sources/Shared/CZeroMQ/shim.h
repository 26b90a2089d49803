// The calls of libzmq that Transport makes. Each returns its result, or the negative error code: errno is read in the
// same call, so that no other code can overwrite it. A call that a signal interrupted is repeated, except sw_zmq_poll,
// whose caller must handle the interruption.
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

// libzmq 4.3 always implements this option, but its header declares it only if draft APIs are enabled.
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
static inline long sw_zmq_terminate(void *context) { SW_ZMQ_RETRY(zmq_ctx_term(context)); }
static inline long sw_zmq_poll(zmq_pollitem_t *items, int count, long milliseconds) {
  int ready = zmq_poll(items, count, milliseconds);
  return ready < 0 ? -(long)errno : ready;
}

// Raises the limit of descriptors as far as the system allows: a process needs a few descriptors per peer.
static inline void sw_raise_descriptor_limit(void) {
  struct rlimit limit;
  if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
    limit.rlim_cur = limit.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &limit);
  }
}

// A process allocates and frees hundreds of messages of several megabytes per second. By default, malloc returns their
// memory to the kernel, and the next message causes a page fault per 4 KiB, which takes longer than copying the
// message. With these settings each arena keeps 64 MiB, and only blocks of at least 32 MiB, the largest threshold of
// malloc, are mapped separately. A failure of mallopt only reduces the speed.
static inline void sw_keep_message_memory(void) {
#ifdef __GLIBC__
  mallopt(M_TRIM_THRESHOLD, 64 << 20);
  mallopt(M_MMAP_THRESHOLD, 32 << 20);
#endif
}
