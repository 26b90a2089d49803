// CRC-32C. The instruction can start on eight bytes every cycle, but has a latency of three cycles, so three parts of a
// block are processed in parallel and their checksums are then combined: the checksum of a part followed by n zeros is
// a linear map of the checksum of the part, which four tables of 256 entries apply.
#include "checksum.h"
#include <pthread.h>
#include <string.h>

static const uint32_t polynomial = 0x82F63B78;  // Castagnoli's 0x1EDC6F41, bits reversed

static uint32_t steps[8][256];  // steps[k][b]: byte b followed by k zero bytes (Kounavis and Berry, ISCC 2005)
enum { part = 4096 };           // bytes of each of the three parts; a multiple of 8
static uint32_t shift[4][256];  // shift[k][b]: value b of byte k of a checksum, followed by `part` zero bytes

static uint32_t update_by_tables(uint32_t crc, const uint8_t *bytes, size_t count) {
  for (; count >= 8; bytes += 8, count -= 8) {
    uint32_t low, high;
    memcpy(&low, bytes, 4);
    memcpy(&high, bytes + 4, 4);
    low ^= crc;
    crc = steps[7][low & 255] ^ steps[6][low >> 8 & 255] ^ steps[5][low >> 16 & 255] ^ steps[4][low >> 24] ^
          steps[3][high & 255] ^ steps[2][high >> 8 & 255] ^ steps[1][high >> 16 & 255] ^ steps[0][high >> 24];
  }
  for (; count > 0; bytes++, count--) crc = crc >> 8 ^ steps[0][(crc ^ *bytes) & 255];
  return crc;
}

static void make_tables(void) {
  for (uint32_t byte = 0; byte < 256; byte++) {
    uint32_t value = byte;
    for (int bit = 0; bit < 8; bit++) value = value & 1 ? value >> 1 ^ polynomial : value >> 1;
    steps[0][byte] = value;
  }
  for (int k = 1; k < 8; k++)
    for (int byte = 0; byte < 256; byte++)
      steps[k][byte] = steps[k - 1][byte] >> 8 ^ steps[0][steps[k - 1][byte] & 255];
  static const uint8_t zeros[part];
  uint32_t of_bit[32];
  for (int bit = 0; bit < 32; bit++) of_bit[bit] = update_by_tables((uint32_t)1 << bit, zeros, part);
  for (int k = 0; k < 4; k++)
    for (int byte = 0; byte < 256; byte++) {
      uint32_t value = 0;
      for (int bit = 0; bit < 8; bit++)
        if (byte >> bit & 1) value ^= of_bit[8 * k + bit];
      shift[k][byte] = value;
    }
}

static pthread_once_t made = PTHREAD_ONCE_INIT;

uint32_t sw_crc32c_by_tables(const void *bytes, size_t count) {
  pthread_once(&made, make_tables);
  return ~update_by_tables(~(uint32_t)0, bytes, count);
}

#if defined(__x86_64__)
static uint32_t shifted(uint32_t crc) {
  return shift[0][crc & 255] ^ shift[1][crc >> 8 & 255] ^ shift[2][crc >> 16 & 255] ^ shift[3][crc >> 24];
}

static inline uint64_t word(const uint8_t *bytes) {
  uint64_t value;
  memcpy(&value, bytes, 8);
  return value;
}

__attribute__((target("sse4.2"))) static uint32_t by_instruction(const uint8_t *bytes, size_t count) {
  uint64_t crc = ~(uint32_t)0;
  for (; count >= 3 * part; bytes += 3 * part, count -= 3 * part) {
    uint64_t second = 0, third = 0;
    for (size_t place = 0; place < part; place += 8) {
      crc = __builtin_ia32_crc32di(crc, word(bytes + place));
      second = __builtin_ia32_crc32di(second, word(bytes + part + place));
      third = __builtin_ia32_crc32di(third, word(bytes + 2 * part + place));
    }
    crc = shifted(shifted((uint32_t)crc) ^ (uint32_t)second) ^ (uint32_t)third;
  }
  for (; count >= 8; bytes += 8, count -= 8) crc = __builtin_ia32_crc32di(crc, word(bytes));
  for (; count > 0; bytes++, count--) crc = __builtin_ia32_crc32qi((uint32_t)crc, *bytes);
  return ~(uint32_t)crc;
}
#endif

uint32_t sw_crc32c(const void *bytes, size_t count) {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("sse4.2")) {
    pthread_once(&made, make_tables);
    return by_instruction(bytes, count);
  }
#endif
  return sw_crc32c_by_tables(bytes, count);
}
