// A block of threads of a CUDA kernel on the CPU: what a kernel's source needs to be compiled for it.
//
// Each thread is a context of its own. It runs until it waits for others; then the next one does. What a
// GPU does in the background (copies to shared memory, `wgmma`) is done at once or, with EMULATOR_LATE,
// not before somebody waits for it: a kernel that reads too early or overwrites too early gives other
// numbers in one of both. Shared memory is full of NaN when a block begins.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <cuda_runtime.h>
#include <deque>
#include <functional>
#include <sys/mman.h>
#include <type_traits>
#include <ucontext.h>
#include <utility>
#include <vector>

namespace emulator {

constexpr unsigned WARP = 32, GROUP = 128, STACK = 64 << 10, MAX_SHARED = 256 << 10;
using Work = std::function<void()>;

struct Thread {
    ucontext_t context;
    uint3 index;
    unsigned number;
    bool is_done;
    // Of its warp, so far.
    unsigned exchanges;
    // Work in the background: what isn't committed, and groups of what is.
    std::vector<Work> copies, products;
    std::deque<std::vector<Work>> copy_groups, product_groups;
};

// How many have come to a place where all must be.
struct Meeting {
    unsigned count, round;
};

struct Warp {
    Meeting meetings[2];
};

static Thread* threads;
static Thread* current;
static ucontext_t scheduler;
static Warp warps[1024 / WARP];
static Meeting groups[1024 / GROUP], block_meeting;
static uint3 block_index;
static dim3 block_size, grid_size;
static unsigned thread_count, shared_bytes;
// Something happened in this round of all threads.
static bool is_moving;
// What the copy engine has not brought yet.
static std::deque<Work> transfers;
static bool is_late;
alignas(1024) static char shared_memory[MAX_SHARED];

[[noreturn]] static void fail(const char* what) {
    fprintf(stderr, "emulator: %s (block %u, thread %u)\n", what, block_index.x, current ? current->number : 0);
    abort();
}

static void yield() { swapcontext(&current->context, &scheduler); }

// Shared memory at an address that a kernel has computed.
static char* shared_at(unsigned address, unsigned bytes) {
    if (address + bytes > shared_bytes || address % bytes) fail("an address outside of shared memory, or not aligned");
    return shared_memory + address;
}

// Waits until so many threads have come.
static void meet(Meeting& meeting, unsigned count) {
    const unsigned round = meeting.round;
    is_moving = true;
    if (++meeting.count == count) {
        meeting.count = 0;
        meeting.round++;
    } else
        while (meeting.round == round) yield();
}

static unsigned warp_size_of(unsigned warp) {
    const unsigned left = thread_count - warp * WARP;
    return left < WARP ? left : WARP;
}

// What each lane of the warp has given, until the next exchange.
template <class T> static const T* exchange(const T& mine) {
    const unsigned warp = current->number / WARP, lane = current->number % WARP, side = current->exchanges++ % 2;
    // Two sides: a lane may be at the next exchange while others still read of this one.
    static T given[1024 / WARP][2][WARP];
    given[warp][side][lane] = mine;
    meet(warps[warp].meetings[side], warp_size_of(warp));
    return given[warp][side];
}

static void meet_group() { meet(groups[current->number / GROUP], GROUP); }

static void work_off(std::deque<std::vector<Work>>& committed, size_t pending) {
    for (; committed.size() > pending; committed.pop_front())
        for (Work& work : committed.front()) work();
}

static void in_background(std::vector<Work>& uncommitted, Work work) {
    if (is_late) uncommitted.push_back(std::move(work));
    else work();
}

static void commit(std::vector<Work>& uncommitted, std::deque<std::vector<Work>>& committed) {
    committed.push_back(std::move(uncommitted));
    uncommitted.clear();
}

// Runs a block; `kernel` is called by each thread.
static Work* kernel_of_block;

static void run_thread() {
    (*kernel_of_block)();
    current->is_done = true;
    is_moving = true;
    swapcontext(&current->context, &scheduler);
}

static void run_block(Work& kernel) {
    static char* stacks =
        (char*)mmap(nullptr, 1024 * STACK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    kernel_of_block = &kernel;
    memset(shared_memory, 0xFF, shared_bytes);
    memset(warps, 0, sizeof warps);
    memset(groups, 0, sizeof groups);
    block_meeting = {};
    transfers.clear();
    for (unsigned i = 0; i < thread_count; i++) {
        Thread& thread = threads[i];
        thread.number = i;
        thread.index = {i % block_size.x, i / block_size.x % block_size.y, i / block_size.x / block_size.y};
        thread.is_done = false;
        thread.exchanges = 0;
        thread.copies.clear(), thread.products.clear(), thread.copy_groups.clear(), thread.product_groups.clear();
        getcontext(&thread.context);
        thread.context.uc_stack = {stacks + i * STACK, 0, STACK};
        thread.context.uc_link = nullptr;
        makecontext(&thread.context, run_thread, 0);
    }
    for (unsigned left = thread_count; left > 0;) {
        is_moving = false;
        for (unsigned i = 0; i < thread_count; i++) {
            // From the other end: a kernel must not rest on an order.
            current = &threads[is_late ? thread_count - 1 - i : i];
            if (current->is_done) continue;
            swapcontext(&scheduler, &current->context);
            left -= current->is_done;
        }
        if (left > 0 && !is_moving) {
            if (transfers.empty()) fail("all threads wait for each other");
            transfers.front()();
            transfers.pop_front();
        }
    }
}

template <class... A, size_t... I>
static void call(void (*kernel)(A...), void** arguments, std::index_sequence<I...>) {
    // By value, aligned as the kernel wants them.
    auto value = [&](auto* type, size_t i) {
        typename std::remove_pointer<decltype(type)>::type copy;
        memcpy(&copy, arguments[i], sizeof copy);
        return copy;
    };
    kernel(value((typename std::remove_cv<A>::type*)nullptr, I)...);
}

template <class... A>
static void launch(void (*kernel)(A...), dim3 grid, dim3 block, unsigned bytes, void** arguments) {
    if (bytes > MAX_SHARED) fail("more shared memory than there is");
    grid_size = grid, block_size = block, shared_bytes = bytes, thread_count = block.x * block.y * block.z;
    is_late = getenv("EMULATOR_LATE") != nullptr;
    if (!threads) threads = new Thread[1024];
    Work work = [&] { call(kernel, arguments, std::index_sequence_for<A...>()); };
    for (unsigned z = 0; z < grid.z; z++)
        for (unsigned y = 0; y < grid.y; y++)
            for (unsigned x = 0; x < grid.x; x++) {
                block_index = {x, y, z};
                run_block(work);
            }
    current = nullptr;
}

} // namespace emulator

#define EMULATED(kernel)                                                                                               \
    extern "C" void emulated_launch(const unsigned* grid, const unsigned* block, unsigned bytes, void** arguments) {   \
        const dim3 blocks(grid[0], grid[1], grid[2]), threads(block[0], block[1], block[2]);                           \
        emulator::launch(kernel, blocks, threads, bytes, arguments);                                                   \
    }

#undef __launch_bounds__
#define __launch_bounds__(...)
#define __expf(x) expf(x)
#define threadIdx (emulator::current->index)
#define blockIdx (emulator::block_index)
#define blockDim (emulator::block_size)
#define gridDim (emulator::grid_size)

static void __syncthreads() {
    unsigned there = 0;
    for (unsigned i = 0; i < emulator::thread_count; i++) there += !emulator::threads[i].is_done;
    emulator::meet(emulator::block_meeting, there);
}

template <class T> static T __shfl_xor_sync(unsigned, T value, int mask) {
    return emulator::exchange(value)[(emulator::current->number % emulator::WARP) ^ mask];
}

static unsigned __cvta_generic_to_shared(const void* pointer) { return (const char*)pointer - emulator::shared_memory; }
static float __uint_as_float(unsigned bits) { float x; memcpy(&x, &bits, 4); return x; }
static unsigned __float_as_uint(float x) { unsigned bits; memcpy(&bits, &x, 4); return bits; }
static unsigned __umulhi(unsigned a, unsigned b) { return (unsigned long long)a * b >> 32; }
static float __fdividef(float a, float b) { return a / b; }
static float __frsqrt_rn(float x) { return 1.0f / sqrtf(x); }
static float rsqrtf(float x) { return 1.0f / sqrtf(x); }
template <class T> static T __ldg(const T* from) { return *from; }
// Of float32, as on the GPU, and of two numbers of which one is NaN the other.
using std::abs, std::exp, std::sqrt, std::log, std::tanh, std::pow, std::sin, std::cos;
static float max(float a, float b) { return fmaxf(a, b); }
static float min(float a, float b) { return fminf(a, b); }
template <class T> static T max(T a, T b) { return a > b ? a : b; }
template <class T> static T min(T a, T b) { return a < b ? a : b; }
