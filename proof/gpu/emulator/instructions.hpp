// What each function of the kernels does that is one instruction of the GPU, in C++: it stands for the function of the
// same name. Layouts of fragments, descriptors and barriers are those of NVIDIA's PTX ISA, sections 9.7.14 (mma,
// ldmatrix), 9.7.15 (wgmma), 9.7.13 (mbarrier) and 5.5 (tensor maps).

#include "tensor_map.hpp"

namespace emulator {

static unsigned lane() { return current->number % WARP; }

// A factor's bits as a number.
static float number(unsigned short bits) {
#if FLOAT16
    __half x;
#else
    __nv_bfloat16 x;
#endif
    memcpy(&x, &bits, 2);
    return (float)x;
}

static unsigned short bits(float x) {
#if FLOAT16
    const __half half = __float2half_rn(x);
#else
    const __nv_bfloat16 half = __float2bfloat16_rn(x);
#endif
    unsigned short bits;
    memcpy(&bits, &half, 2);
    return bits;
}

static unsigned short low(u32 both) { return both & 0xFFFF; }
static unsigned short high(u32 both) { return both >> 16; }

// Where a byte of rows of 128 bytes is, eight of which are swizzled.
static u32 swizzle_128(u32 address) { return address ^ (address >> 7 & 7) << 4; }

// A barrier in shared memory: 8 bytes.
struct Barrier {
    u16 expected, pending;
    // Bytes that have not come, times two, and the phase.
    int left;
    void advance() {
        is_moving = true;
        if (pending == 0 && left >> 1 == 0) pending = expected, left = (left & 1) ^ 1;
    }
};

static Barrier& barrier_at(u32 address) { return *(Barrier*)shared_at(address, 8); }

static void load_matrices(u32 (&to)[4], u32 address, bool is_transposed) {
    const u32* addresses = exchange(address);
    for (int i = 0; i < 4; i++) {
        u16 two[2];
        for (unsigned n = 0; n < 2; n++) {
            const unsigned row = is_transposed ? lane() % 4 * 2 + n : lane() / 4;
            const unsigned column = is_transposed ? lane() / 4 : lane() % 4 * 2 + n;
            two[n] = ((u16*)shared_at(addresses[i * 8 + row], 16))[column];
        }
        to[i] = two[0] | (u32)two[1] << 16;
    }
}

// A number of a matrix that a descriptor of `wgmma` tells of, with inputs beside each other.
static float described(u64 descriptor, unsigned row, unsigned input) {
    const u32 start = (descriptor & 0x3FFF) << 4, stride = (descriptor >> 32 & 0x3FFF) << 4;
    if (descriptor >> 62 != 1) fail("a descriptor without swizzles of 128 bytes");
    return number(*(u16*)shared_at(swizzle_128(start + row / 8 * stride + row % 8 * 128 + input * 2), 2));
}

} // namespace emulator

DEVICE u32 pack(float first, float second) { return emulator::bits(first) | (u32)emulator::bits(second) << 16; }

DEVICE void copy_async(u32 to, const void* from, bool is_there) {
    char* place = emulator::shared_at(to, 16);
    emulator::in_background(emulator::current->copies, [=] {
        if (is_there) memcpy(place, from, 16);
        else memset(place, 0, 16);
    });
}

DEVICE void commit_copies() { emulator::commit(emulator::current->copies, emulator::current->copy_groups); }

template <int pending> DEVICE void wait_copies() { emulator::work_off(emulator::current->copy_groups, pending); }

DEVICE void load_matrices(u32 (&to)[4], u32 address) { emulator::load_matrices(to, address, false); }

DEVICE void load_transposed(u32 (&to)[4], u32 address) { emulator::load_matrices(to, address, true); }

DEVICE void multiply_add(float (&sums)[4], const u32 (&a)[4], u32 b0, u32 b1) {
    struct Fragments {
        u32 a[4], b[2];
    };
    const Fragments* of = emulator::exchange(Fragments{{a[0], a[1], a[2], a[3]}, {b0, b1}});
    using emulator::number, emulator::low, emulator::high;
    const unsigned lane = emulator::lane();
    for (int n = 0; n < 4; n++) {
        const unsigned row = lane / 4, column = lane % 4 * 2 + n % 2, lower = n / 2;
        for (unsigned input = 0; input < 16; input += 2) {
            const unsigned right = input / 8, pair = input % 8 / 2;
            const u32 x = of[row * 4 + pair].a[right * 2 + lower], w = of[column * 4 + pair].b[right];
            sums[n] += number(low(x)) * number(low(w)) + number(high(x)) * number(high(w));
        }
    }
}

DEVICE void init_barrier(u32 barrier, u32 arrivals) {
    emulator::barrier_at(barrier) = {(u16)arrivals, (u16)arrivals, 0};
}

DEVICE void arrive(u32 barrier) {
    emulator::Barrier& at = emulator::barrier_at(barrier);
    if (at.pending == 0) emulator::fail("more arrivals than a barrier expects");
    at.pending--;
    at.advance();
}

DEVICE void expect_bytes(u32 barrier, u32 bytes) {
    emulator::barrier_at(barrier).left += 2 * bytes;
    arrive(barrier);
}

DEVICE void wait(u32 barrier, u32 parity) {
    while ((emulator::barrier_at(barrier).left & 1) == (int)parity) emulator::yield();
}

DEVICE void fence_barriers() {}

template <class Map> DEVICE void load_tile(u32 to, const Map& map, u32 barrier, u32 input, u32 row) {
    static_assert(sizeof(Map) == sizeof(emulator::TensorMap), "");
    emulator::TensorMap rows;
    memcpy(&rows, &map, sizeof rows);
    if (to % 1024 || rows.tile[0] != 64 || rows.bytes != 2) emulator::fail("a tile that isn't of rows of 128 bytes");
    auto transfer = [=] {
        for (u32 r = 0; r < rows.tile[1]; r++)
            for (u32 i = 0; i < 64; i++) {
                const bool is_there = row + r < rows.sizes[1] && input + i < rows.sizes[0];
                u16 number = 0;
                if (is_there) memcpy(&number, rows.memory + (row + r) * rows.stride + (input + i) * 2, 2);
                *(u16*)emulator::shared_at(emulator::swizzle_128(to + r * 128 + i * 2), 2) = number;
            }
        emulator::Barrier& at = emulator::barrier_at(barrier);
        at.left -= 2 * (int)(rows.tile[1] * 128);
        at.advance();
    };
    if (emulator::is_late) emulator::transfers.push_back(transfer);
    else transfer();
}

template <size_t N> DEVICE void multiply_add_group(float (&sums)[N], u64 a, u64 b) {
    float* to = sums;
    const unsigned lane = emulator::lane(), warp = emulator::current->number / emulator::WARP % 4;
    emulator::in_background(emulator::current->products, [=] {
        for (unsigned n = 0; n < N; n++) {
            const unsigned row = warp * 16 + lane / 4 + n / 2 % 2 * 8, column = n / 4 * 8 + lane % 4 * 2 + n % 2;
            for (unsigned input = 0; input < 16; input++)
                to[n] += emulator::described(a, row, input) * emulator::described(b, column, input);
        }
    });
}

DEVICE void fence_products() {}

DEVICE void commit_products() { emulator::commit(emulator::current->products, emulator::current->product_groups); }

template <int pending> DEVICE void wait_products() {
    emulator::work_off(emulator::current->product_groups, pending);
    emulator::meet_group();
}
