// CRC-32C (Castagnoli; RFC 3720, appendix B.4), with the instruction of the CPU where it has one.
#pragma once
#include <stddef.h>
#include <stdint.h>

uint32_t sw_crc32c(const void *bytes, size_t count);

/// The same with tables, eight bytes per step: for CPUs without the instruction, and as the reference in tests.
uint32_t sw_crc32c_by_tables(const void *bytes, size_t count);
