// HDF5's macros as functions, which Swift can see. Each calls H5open through the macro, so order does not matter.
#pragma once
#include <hdf5.h>
#include <stdio.h>

static inline hid_t sw_hdf5_float32(void) { return H5T_IEEE_F32LE; }
static inline hid_t sw_hdf5_int32(void) { return H5T_STD_I32LE; }
static inline hid_t sw_hdf5_int64(void) { return H5T_STD_I64LE; }
static inline hid_t sw_hdf5_uint32(void) { return H5T_STD_U32LE; }
static inline hid_t sw_hdf5_uint64(void) { return H5T_STD_U64LE; }
static inline hid_t sw_hdf5_uint8(void) { return H5T_STD_U8LE; }
static inline hid_t sw_hdf5_dataset_creation(void) { return H5P_DATASET_CREATE; }
static inline hid_t sw_hdf5_file_access(void) { return H5P_FILE_ACCESS; }

/// Text of at most `size` bytes in UTF-8, padded with zeros; to be closed with H5Tclose. Text of variable length could
/// not carry checksums.
static inline hid_t sw_hdf5_make_text_type(size_t size) {
  hid_t type = H5Tcopy(H5T_C_S1);
  if (type < 0) return type;
  if (H5Tset_size(type, size) < 0 || H5Tset_strpad(type, H5T_STR_NULLPAD) < 0 || H5Tset_cset(type, H5T_CSET_UTF8) < 0) {
    H5Tclose(type);
    return -1;
  }
  return type;
}

/// Errors are fetched by sw_hdf5_error, not printed. Files are closed one by one; the library's own clean-up at exit would
/// pull the floor from under a thread that still reads.
static inline void sw_hdf5_enter(void) {
  H5dont_atexit();
  H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
}

static inline herr_t sw_hdf5_keep_description(unsigned n, const H5E_error2_t *error, void *buffer) {
  if (n == 0) snprintf((char *)buffer, 256, "%s (%s)", error->desc, error->func_name);
  return 0;
}

/// The innermost cause on this thread's error stack, at most 255 bytes.
static inline void sw_hdf5_error(char buffer[256]) {
  buffer[0] = 0;
  H5Ewalk2(H5E_DEFAULT, H5E_WALK_UPWARD, sw_hdf5_keep_description, buffer);
  H5Eclear2(H5E_DEFAULT);
}
