// CRC-32C (Castagnoli; RFC 3720, appendix B.4), with the processor's own instruction where it has one.
#pragma once
#include <stddef.h>
#include <stdint.h>

/// The checksum of `count` bytes.
uint32_t sw_crc32c(const void *bytes, size_t count);

/// The same by tables, eight bytes a step: for processors without the instruction, and as the other's reference.
uint32_t sw_crc32c_by_tables(const void *bytes, size_t count);
