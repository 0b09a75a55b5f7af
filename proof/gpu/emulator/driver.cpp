// A CUDA driver for one GPU that isn't there: its memory is the host's, and kernels are libraries that
// `compile.py` made, run by the caller before the launch returns. Only what Burn and this project call.
// With EMULATOR_DRY only so many launches are computed, enough for a self-check: what the others take is
// the host's part.
// With EMULATOR_LOG the names of kernels are appended to that file, a line for each launch.

#include "tensor_map.hpp"
#include <chrono>
#include <climits>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <dlfcn.h>
#include <map>
#include <mutex>
#include <string>

namespace {

using Launch = void (*)(const unsigned*, const unsigned*, unsigned, void**);

struct Module {
    Launch launch;
    std::string name;
};

enum { SUCCESS = 0, INVALID = 1, OUT_OF_MEMORY = 2, NOT_FOUND = 500 };

// Bytes of memory, and which parts of it are taken.
size_t memory() {
    const char* set = getenv("EMULATOR_MEMORY");
    return set ? strtoull(set, nullptr, 10) : 8ull << 30;
}

std::map<void*, size_t> taken;
size_t taken_bytes = 0, most_bytes = 0;
std::mutex lock;

// Compute capability, 90 for 9.0.
int architecture() {
    const char* set = getenv("EMULATOR_ARCH");
    return set ? atoi(set) : 90;
}

int allocate(void** to, size_t bytes) {
    const std::lock_guard<std::mutex> held(lock);
    const size_t whole = bytes ? (bytes + 511) / 512 * 512 : 512;
    *to = taken_bytes + whole <= memory() ? aligned_alloc(512, whole) : nullptr;
    if (!*to) return OUT_OF_MEMORY;
    taken[*to] = whole, taken_bytes += whole;
    if (taken_bytes > most_bytes) most_bytes = taken_bytes;
    // Numbers that nobody has written are NaN; where nobody will write any, 0.0115 in every type.
    memset(*to, getenv("EMULATOR_DRY") ? 0x3C : 0xFF, whole);
    return SUCCESS;
}

int release(void* memory) {
    const std::lock_guard<std::mutex> held(lock);
    const auto found = taken.find(memory);
    if (found == taken.end()) return INVALID;
    taken_bytes -= found->second;
    taken.erase(found);
    return free(memory), SUCCESS;
}

// At the end of the process.
struct Report {
    ~Report() {
        if (getenv("EMULATOR_LOG")) fprintf(stderr, "emulator: %zu bytes of memory at most\n", most_bytes);
    }
} report;

} // namespace

extern "C" {

int cuInit(unsigned) { return SUCCESS; }
int cuDriverGetVersion(int* version) { return *version = 13000, SUCCESS; }
int cuDeviceGetCount(int* count) { return *count = 1, SUCCESS; }
int cuDeviceGet(int* device, int) { return *device = 0, SUCCESS; }
int cuDeviceGetName(char* name, int length, int) {
    return snprintf(name, length, "emulated sm_%d", architecture()), SUCCESS;
}
int cuDeviceTotalMem_v2(size_t* bytes, int) { return *bytes = memory(), SUCCESS; }
int cuMemGetInfo_v2(size_t* free, size_t* total) { return *total = memory(), *free = memory() - taken_bytes, SUCCESS; }

int cuDeviceGetAttribute(int* value, int attribute, int) {
    const bool is_hopper = architecture() == 90 || architecture() == 100;
    switch (attribute) {
    case 1: case 2: case 3: *value = 1024; break;
    case 4: *value = 64; break;
    case 5: *value = INT32_MAX; break;
    case 6: case 7: *value = 65535; break;
    case 8: *value = 48 << 10; break;
    case 10: *value = 32; break;
    case 16: *value = is_hopper ? 132 : 84; break;
    case 75: *value = architecture() / 10; break;
    case 76: *value = architecture() % 10; break;
    case 97: *value = (is_hopper ? 227 : 99) << 10; break;
    default: *value = 1;
    }
    return SUCCESS;
}

int cuDevicePrimaryCtxRetain(void** context, int) { return *context = (void*)16, SUCCESS; }
int cuDevicePrimaryCtxRelease_v2(int) { return SUCCESS; }
int cuCtxGetCurrent(void** context) { return *context = (void*)16, SUCCESS; }
int cuCtxSetCurrent(void*) { return SUCCESS; }
int cuStreamCreate(void** stream, unsigned) { return *stream = (void*)16, SUCCESS; }
int cuStreamDestroy_v2(void*) { return SUCCESS; }
int cuStreamSynchronize(void*) { return SUCCESS; }
int cuStreamWaitEvent(void*, void*, unsigned) { return SUCCESS; }
int cuEventCreate(void** event, unsigned) { return *event = (void*)16, SUCCESS; }
int cuEventDestroy_v2(void*) { return SUCCESS; }
int cuEventRecord(void*, void*) { return SUCCESS; }
int cuEventSynchronize(void*) { return SUCCESS; }

int cuMemAlloc_v2(void** to, size_t bytes) { return allocate(to, bytes); }
int cuMemAllocAsync(void** to, size_t bytes, void*) { return allocate(to, bytes); }
int cuMemAllocHost_v2(void** to, size_t bytes) { return *to = malloc(bytes), *to ? SUCCESS : OUT_OF_MEMORY; }
int cuMemFree_v2(void* memory) { return release(memory); }
int cuMemFreeAsync(void* memory, void*) { return release(memory); }
int cuMemFreeHost(void* memory) { return free(memory), SUCCESS; }
int cuMemcpyHtoDAsync_v2(void* to, const void* from, size_t bytes, void*) { return memcpy(to, from, bytes), SUCCESS; }
int cuMemcpyDtoHAsync_v2(void* to, const void* from, size_t bytes, void*) { return memcpy(to, from, bytes), SUCCESS; }
int cuMemcpyDtoDAsync_v2(void* to, const void* from, size_t bytes, void*) { return memcpy(to, from, bytes), SUCCESS; }

// The head of CUDA_MEMCPY2D: offsets and pitches of both sides.
struct Side {
    size_t x, y;
    int kind;
    void *host, *device, *array;
    size_t pitch;
    char* at(size_t row) const { return (char*)(kind == 1 ? host : device) + (y + row) * pitch + x; }
};

int cuMemcpy2DAsync_v2(const void* copy, void*) {
    Side from, to;
    size_t size[2];
    const char* fields = (const char*)copy;
    memcpy(&from, fields, sizeof from), memcpy(&to, fields + sizeof from, sizeof to);
    memcpy(size, fields + 2 * sizeof from, sizeof size);
    for (size_t row = 0; row < size[1]; row++) memcpy(to.at(row), from.at(row), size[0]);
    return SUCCESS;
}

int cuModuleLoadData(void** module, const void* image) {
    const std::string path = (const char*)image, name = path.substr(path.rfind('/') + 1);
    void* library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (!library) return fprintf(stderr, "emulator: %s\n", dlerror()), INVALID;
    const Launch launch = (Launch)dlsym(library, "emulated_launch");
    if (!launch) return NOT_FOUND;
    *module = new Module{launch, name.substr(0, name.rfind('.'))};
    return SUCCESS;
}

int cuModuleGetFunction(void** function, void* module, const char*) { return *function = module, SUCCESS; }
int cuModuleUnload(void*) { return SUCCESS; }
int cuFuncSetAttribute(void*, int, int) { return SUCCESS; }

int cuLaunchKernel(void* function, unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by, unsigned bz,
                   unsigned bytes, void*, void** arguments, void**) {
    const Module& module = *(Module*)function;
    static FILE* log = getenv("EMULATOR_LOG") ? fopen(getenv("EMULATOR_LOG"), "a") : nullptr;
    const unsigned grid[] = {gx, gy, gz}, block[] = {bx, by, bz};
    const auto start = std::chrono::steady_clock::now();
    static long computed = getenv("EMULATOR_DRY") ? atol(getenv("EMULATOR_DRY")) : LONG_MAX;
    if (computed-- > 0) module.launch(grid, block, bytes, arguments);
    const std::chrono::duration<double, std::milli> time = std::chrono::steady_clock::now() - start;
    if (log) fprintf(log, "%s %u %u %.3f\n", module.name.c_str(), gx * gy * gz, bx * by * bz, time.count());
    return SUCCESS;
}

int cuTensorMapEncodeTiled(void* map, int type, unsigned rank, void* memory, const uint64_t* sizes,
                           const uint64_t* strides, const uint32_t* tile, const uint32_t* steps, int interleave,
                           int swizzle, int, int fill) {
    // Rows of bfloat16 or float16, swizzled by 128 bytes: what kernels here take.
    const bool is_half = type == 6 || type == 9;
    const bool is_plain = interleave == 0 && fill == 0 && steps[0] == 1 && steps[1] == 1;
    if (rank != 2 || !is_half || swizzle != 3 || !is_plain) return INVALID;
    if ((uintptr_t)memory % 16 || strides[0] % 16 || tile[0] * 2 > 128 || tile[1] > 256) return INVALID;
    const char* first = (const char*)memory;
    const emulator::TensorMap rows = {first, {sizes[0], sizes[1]}, strides[0], {tile[0], tile[1]}, 2, {}};
    memcpy(map, &rows, sizeof rows);
    return SUCCESS;
}

int cuGetErrorName(int error, const char** name) {
    *name = error == OUT_OF_MEMORY ? "CUDA_ERROR_OUT_OF_MEMORY" : "CUDA_ERROR";
    return SUCCESS;
}

int cuGetErrorString(int, const char** text) { return *text = "the emulated driver doesn't take this", SUCCESS; }
}
