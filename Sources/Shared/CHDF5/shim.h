// HDF5 as Swift can import it.
#pragma once
#include <hdf5.h>
