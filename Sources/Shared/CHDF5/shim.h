// The macros of HDF5 as functions, because Swift cannot see the macros. Each macro calls H5open, so the library needs
// no initialization.
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

/// The type of UTF-8 text of at most `size` bytes, padded with zeros; the caller closes it with H5Tclose. The length is
/// fixed because HDF5 cannot add checksums to text of variable length.
static inline hid_t sw_hdf5_make_text_type(size_t size) {
  hid_t type = H5Tcopy(H5T_C_S1);
  if (type < 0) return type;
  if (H5Tset_size(type, size) < 0 || H5Tset_strpad(type, H5T_STR_NULLPAD) < 0 || H5Tset_cset(type, H5T_CSET_UTF8) < 0) {
    H5Tclose(type);
    return -1;
  }
  return type;
}

/// Turns off the printing of errors (sw_hdf5_error returns them) and the clean-up at exit: files are closed one by one,
/// and the clean-up would close a file that another thread is still reading.
static inline void sw_hdf5_enter(void) {
  H5dont_atexit();
  H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
}

static inline herr_t sw_hdf5_keep_description(unsigned n, const H5E_error2_t *error, void *buffer) {
  if (n == 0) snprintf((char *)buffer, 256, "%s (%s)", error->desc, error->func_name);
  return 0;
}

/// Writes the innermost cause on the error stack of this thread, at most 255 bytes, and clears the stack.
static inline void sw_hdf5_error(char buffer[256]) {
  buffer[0] = 0;
  H5Ewalk2(H5E_DEFAULT, H5E_WALK_UPWARD, sw_hdf5_keep_description, buffer);
  H5Eclear2(H5E_DEFAULT);
}
