// What the emulated driver puts into the 128 bytes of a tensor map: a matrix in the device's memory, and
// the tile of it that the copy engine brings at a time. Sizes and tiles count columns first.
#pragma once

namespace emulator {

struct TensorMap {
    const char* memory;
    unsigned long long sizes[2], stride;
    unsigned tile[2], bytes;
    char unused[128 - 44];
};

static_assert(sizeof(TensorMap) == 128, "as NVIDIA's");

} // namespace emulator
