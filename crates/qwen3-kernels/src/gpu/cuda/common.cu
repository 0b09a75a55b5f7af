// What the CUDA kernels share. They include no header, so that they compile in a fraction of a second.

typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;

// A factor of a product: the bits of a bfloat16, or of a float16 with FLOAT16.
typedef u16 half_t;

#if FLOAT16
#define MMA_TYPE "f16"
#define PACK "cvt.rn.f16x2.f32"
#else
#define MMA_TYPE "bf16"
#define PACK "cvt.rn.bf16x2.f32"
#endif

#define DEVICE static __device__ __forceinline__

// Two numbers, rounded; the first in the lower half.
DEVICE u32 pack(float first, float second) {
    u32 both;
    asm(PACK " %0, %1, %2;" : "=r"(both) : "f"(second), "f"(first));
    return both;
}

DEVICE u32 shared_address(const void* pointer) { return (u32)__cvta_generic_to_shared(pointer); }

// 16 bytes to shared memory, zeros where `is_there` is false.
DEVICE void copy_async(u32 to, const void* from, bool is_there) {
    const int bytes = is_there ? 16 : 0;
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(to), "l"(from), "r"(bytes));
}

DEVICE void commit_copies() { asm volatile("cp.async.commit_group;"); }

// Waits for all but the last `pending` groups of copies.
template <int pending> DEVICE void wait_copies() { asm volatile("cp.async.wait_group %0;" ::"n"(pending) : "memory"); }

// Four 8 x 8 matrices; a lane gives the address of a row.
DEVICE void load_matrices(u32 (&to)[4], u32 address) {
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(to[0]), "=r"(to[1]), "=r"(to[2]), "=r"(to[3])
                 : "r"(address));
}

// The same, each matrix transposed.
DEVICE void load_transposed(u32 (&to)[4], u32 address) {
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(to[0]), "=r"(to[1]), "=r"(to[2]), "=r"(to[3])
                 : "r"(address));
}

// sums[16 x 8] += a[16 x 16] * b[16 x 8]. Of lane l, sums 0 and 1 are of row l / 4 and columns
// l % 4 * 2 and the next, sums 2 and 3 of the row 8 further.
DEVICE void multiply_add(float (&sums)[4], const u32 (&a)[4], u32 b0, u32 b1) {
    asm volatile("mma.sync.aligned.m16n8k16.row.col.f32." MMA_TYPE "." MMA_TYPE ".f32 "
                 "{%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
                 : "+f"(sums[0]), "+f"(sums[1]), "+f"(sums[2]), "+f"(sums[3])
                 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}

// Where 16 bytes `chunk` of a row are, in units of 16 bytes, in shared memory with rows of
// `chunks` of them: so that eight rows of one column lie in different banks.
template <int chunks> DEVICE int swizzled(int row, int chunk) {
    if (chunks % 8 == 0) return row * chunks + (chunk ^ (row & 7));
    if (chunks == 4) return row * chunks + (chunk ^ ((row >> 1) & 3));
    return row * chunks + chunk;
}
