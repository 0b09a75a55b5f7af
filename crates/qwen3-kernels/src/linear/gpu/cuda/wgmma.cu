// y = x * weight^T with `wgmma` and the copy engine, for Hopper; one launch for up to three weights of
// one x, or for gate and up with SWIGLU.
//
// Blocks stay, and compute one tile of 128 rows and TILE_N columns after the other. Two warpgroups
// multiply, 64 rows each; one more warp has both factors brought to shared memory, up to STAGES steps of
// TILE_K inputs ahead, also while the others write a tile.

#define TILE_K 64
#define THREADS 288
#define X_BYTES (TILE_M * TILE_K * 2)
#define WEIGHT_BYTES (TILE_N * TILE_K * 2)
#define STAGE_BYTES (X_BYTES + WEIGHT_BYTES)

struct __align__(64) TensorMap {
    u64 opaque[16];
};

DEVICE void init_barrier(u32 barrier, u32 arrivals) {
    asm volatile("mbarrier.init.shared::cta.b64 [%0], %1;" ::"r"(barrier), "r"(arrivals));
}

// Barriers are seen by the copy engine from here on.
DEVICE void fence_barriers() {
    asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory");
    asm volatile("fence.proxy.async.shared::cta;" ::: "memory");
}

DEVICE void expect_bytes(u32 barrier, u32 bytes) {
    asm volatile("mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;" ::"r"(barrier), "r"(bytes) : "memory");
}

DEVICE void arrive(u32 barrier) {
    asm volatile("mbarrier.arrive.shared::cta.b64 _, [%0];" ::"r"(barrier) : "memory");
}

DEVICE void wait(u32 barrier, u32 parity) {
    u32 done;
    do {
        asm volatile("{ .reg .pred p; mbarrier.try_wait.parity.shared::cta.b64 p, [%1], %2; selp.u32 %0, 1, 0, p; }"
                     : "=r"(done)
                     : "r"(barrier), "r"(parity)
                     : "memory");
    } while (!done);
}

DEVICE void load_tile(u32 to, const TensorMap& map, u32 barrier, u32 input, u32 row) {
    asm volatile("cp.async.bulk.tensor.2d.shared::cluster.global.tile.mbarrier::complete_tx::bytes "
                 "[%0], [%1, {%3, %4}], [%2];" ::"r"(to), "l"(&map), "r"(barrier), "r"(input), "r"(row)
                 : "memory");
}

// Of rows of 128 bytes, as the copy engine lays them out: eight rows are 1,024 bytes, swizzled.
DEVICE u64 descriptor(u32 address) {
    return (u64)((address & 0x3FFFF) >> 4) | (u64)1 << 16 | (u64)(1024 >> 4) << 32 | (u64)1 << 62;
}

// sums[64 x TILE_N] += a[64 x 16] * b[16 x TILE_N], in the background. Of lane l of warp w, sums 4 * j and
// the next are of row 16 * w + l / 4 and columns 8 * j + l % 4 * 2 and the next; the two after them of the
// row 8 further.
DEVICE void multiply_add_group(float (&sums)[TILE_N / 2], u64 a, u64 b) {
#if TILE_N == 256
    asm volatile("wgmma.mma_async.sync.aligned.m64n256k16.f32." MMA_TYPE "." MMA_TYPE " {"
                 "%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15, "
                 "%16, %17, %18, %19, %20, %21, %22, %23, %24, %25, %26, %27, %28, %29, %30, %31, "
                 "%32, %33, %34, %35, %36, %37, %38, %39, %40, %41, %42, %43, %44, %45, %46, %47, "
                 "%48, %49, %50, %51, %52, %53, %54, %55, %56, %57, %58, %59, %60, %61, %62, %63, "
                 "%64, %65, %66, %67, %68, %69, %70, %71, %72, %73, %74, %75, %76, %77, %78, %79, "
                 "%80, %81, %82, %83, %84, %85, %86, %87, %88, %89, %90, %91, %92, %93, %94, %95, "
                 "%96, %97, %98, %99, %100, %101, %102, %103, %104, %105, %106, %107, %108, %109, %110, %111, "
                 "%112, %113, %114, %115, %116, %117, %118, %119, %120, %121, %122, %123, %124, %125, %126, %127}, "
                 "%128, %129, 1, 1, 1, 0, 0;"
                 : "+f"(sums[0]), "+f"(sums[1]), "+f"(sums[2]), "+f"(sums[3]), "+f"(sums[4]), "+f"(sums[5]), "+f"(sums[6]), "+f"(sums[7]),
                   "+f"(sums[8]), "+f"(sums[9]), "+f"(sums[10]), "+f"(sums[11]), "+f"(sums[12]), "+f"(sums[13]), "+f"(sums[14]), "+f"(sums[15]),
                   "+f"(sums[16]), "+f"(sums[17]), "+f"(sums[18]), "+f"(sums[19]), "+f"(sums[20]), "+f"(sums[21]), "+f"(sums[22]), "+f"(sums[23]),
                   "+f"(sums[24]), "+f"(sums[25]), "+f"(sums[26]), "+f"(sums[27]), "+f"(sums[28]), "+f"(sums[29]), "+f"(sums[30]), "+f"(sums[31]),
                   "+f"(sums[32]), "+f"(sums[33]), "+f"(sums[34]), "+f"(sums[35]), "+f"(sums[36]), "+f"(sums[37]), "+f"(sums[38]), "+f"(sums[39]),
                   "+f"(sums[40]), "+f"(sums[41]), "+f"(sums[42]), "+f"(sums[43]), "+f"(sums[44]), "+f"(sums[45]), "+f"(sums[46]), "+f"(sums[47]),
                   "+f"(sums[48]), "+f"(sums[49]), "+f"(sums[50]), "+f"(sums[51]), "+f"(sums[52]), "+f"(sums[53]), "+f"(sums[54]), "+f"(sums[55]),
                   "+f"(sums[56]), "+f"(sums[57]), "+f"(sums[58]), "+f"(sums[59]), "+f"(sums[60]), "+f"(sums[61]), "+f"(sums[62]), "+f"(sums[63]),
                   "+f"(sums[64]), "+f"(sums[65]), "+f"(sums[66]), "+f"(sums[67]), "+f"(sums[68]), "+f"(sums[69]), "+f"(sums[70]), "+f"(sums[71]),
                   "+f"(sums[72]), "+f"(sums[73]), "+f"(sums[74]), "+f"(sums[75]), "+f"(sums[76]), "+f"(sums[77]), "+f"(sums[78]), "+f"(sums[79]),
                   "+f"(sums[80]), "+f"(sums[81]), "+f"(sums[82]), "+f"(sums[83]), "+f"(sums[84]), "+f"(sums[85]), "+f"(sums[86]), "+f"(sums[87]),
                   "+f"(sums[88]), "+f"(sums[89]), "+f"(sums[90]), "+f"(sums[91]), "+f"(sums[92]), "+f"(sums[93]), "+f"(sums[94]), "+f"(sums[95]),
                   "+f"(sums[96]), "+f"(sums[97]), "+f"(sums[98]), "+f"(sums[99]), "+f"(sums[100]), "+f"(sums[101]), "+f"(sums[102]), "+f"(sums[103]),
                   "+f"(sums[104]), "+f"(sums[105]), "+f"(sums[106]), "+f"(sums[107]), "+f"(sums[108]), "+f"(sums[109]), "+f"(sums[110]), "+f"(sums[111]),
                   "+f"(sums[112]), "+f"(sums[113]), "+f"(sums[114]), "+f"(sums[115]), "+f"(sums[116]), "+f"(sums[117]), "+f"(sums[118]), "+f"(sums[119]),
                   "+f"(sums[120]), "+f"(sums[121]), "+f"(sums[122]), "+f"(sums[123]), "+f"(sums[124]), "+f"(sums[125]), "+f"(sums[126]), "+f"(sums[127])
                 : "l"(a), "l"(b));
#else
    asm volatile("wgmma.mma_async.sync.aligned.m64n128k16.f32." MMA_TYPE "." MMA_TYPE " {"
                 "%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15, "
                 "%16, %17, %18, %19, %20, %21, %22, %23, %24, %25, %26, %27, %28, %29, %30, %31, "
                 "%32, %33, %34, %35, %36, %37, %38, %39, %40, %41, %42, %43, %44, %45, %46, %47, "
                 "%48, %49, %50, %51, %52, %53, %54, %55, %56, %57, %58, %59, %60, %61, %62, %63}, "
                 "%64, %65, 1, 1, 1, 0, 0;"
                 : "+f"(sums[0]), "+f"(sums[1]), "+f"(sums[2]), "+f"(sums[3]), "+f"(sums[4]), "+f"(sums[5]), "+f"(sums[6]), "+f"(sums[7]),
                   "+f"(sums[8]), "+f"(sums[9]), "+f"(sums[10]), "+f"(sums[11]), "+f"(sums[12]), "+f"(sums[13]), "+f"(sums[14]), "+f"(sums[15]),
                   "+f"(sums[16]), "+f"(sums[17]), "+f"(sums[18]), "+f"(sums[19]), "+f"(sums[20]), "+f"(sums[21]), "+f"(sums[22]), "+f"(sums[23]),
                   "+f"(sums[24]), "+f"(sums[25]), "+f"(sums[26]), "+f"(sums[27]), "+f"(sums[28]), "+f"(sums[29]), "+f"(sums[30]), "+f"(sums[31]),
                   "+f"(sums[32]), "+f"(sums[33]), "+f"(sums[34]), "+f"(sums[35]), "+f"(sums[36]), "+f"(sums[37]), "+f"(sums[38]), "+f"(sums[39]),
                   "+f"(sums[40]), "+f"(sums[41]), "+f"(sums[42]), "+f"(sums[43]), "+f"(sums[44]), "+f"(sums[45]), "+f"(sums[46]), "+f"(sums[47]),
                   "+f"(sums[48]), "+f"(sums[49]), "+f"(sums[50]), "+f"(sums[51]), "+f"(sums[52]), "+f"(sums[53]), "+f"(sums[54]), "+f"(sums[55]),
                   "+f"(sums[56]), "+f"(sums[57]), "+f"(sums[58]), "+f"(sums[59]), "+f"(sums[60]), "+f"(sums[61]), "+f"(sums[62]), "+f"(sums[63])
                 : "l"(a), "l"(b));
#endif
}

DEVICE void fence_products() { asm volatile("wgmma.fence.sync.aligned;" ::: "memory"); }

DEVICE void commit_products() { asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory"); }

// Waits for all but the last `pending` groups of products.
template <int pending> DEVICE void wait_products() {
    asm volatile("wgmma.wait_group.sync.aligned %0;" ::"n"(pending) : "memory");
}

extern "C" __global__ void __launch_bounds__(THREADS)
    ENTRY(const __grid_constant__ TensorMap x_map, FOR_WEIGHTS(const __grid_constant__ TensorMap, map),
          const half_t* x, FOR_WEIGHTS(const half_t*, weight), OUTPUTS SCALES const __grid_constant__ Product product) {
    extern __shared__ char shared[];
    const u32 memory = (shared_address(shared) + 1023) & ~1023;
    // That a stage is full, or empty.
    const u32 full = memory + STAGES * STAGE_BYTES, empty = full + STAGES * 8;
    const int group = threadIdx.x / 128;
    const u32 steps = (product.inputs + TILE_K - 1) / TILE_K;
    const u32 tiles = tiles_of(product);

    if (threadIdx.x == 0) {
        for (int stage = 0; stage < STAGES; stage++) {
            init_barrier(full + stage * 8, 1);
            init_barrier(empty + stage * 8, 2);
        }
        fence_barriers();
    }
    __syncthreads();

    // Steps of all tiles so far.
    u32 count = 0;
    if (threadIdx.x == 256) {
        for (u32 index = blockIdx.x; index < tiles; index += gridDim.x) {
            const Tile tile = tile_of(product, index);
            const TensorMap& first = PICK(map, tile.weight);
#if EPILOGUE == SWIGLU
            const TensorMap& second = map1;
            const u32 second_column = tile.column;
#else
            const TensorMap& second = first;
            const u32 second_column = tile.column + TILE_N / 2;
#endif
            for (u32 step = 0; step < steps; step++, count++) {
                const u32 stage = count % STAGES, round = count / STAGES;
                const u32 to = memory + stage * STAGE_BYTES, barrier = full + stage * 8;
                if (round > 0) wait(empty + stage * 8, (round - 1) & 1);
                expect_bytes(barrier, STAGE_BYTES);
                load_tile(to, x_map, barrier, step * TILE_K, tile.row);
                load_tile(to + X_BYTES, first, barrier, step * TILE_K, tile.column);
                load_tile(to + X_BYTES + WEIGHT_BYTES / 2, second, barrier, step * TILE_K, second_column);
            }
        }
    }

    const int lane = threadIdx.x % 32, warp = threadIdx.x / 32 % 4;
    const bool is_first = threadIdx.x % 128 == 0;
    for (u32 index = blockIdx.x; group < 2 && index < tiles; index += gridDim.x) {
        const Tile tile = tile_of(product, index);
        float sums[TILE_N / 2];
        #pragma unroll
        for (int i = 0; i < TILE_N / 2; i++) sums[i] = 0.0f;
        for (u32 step = 0; step < steps; step++, count++) {
            const u32 stage = count % STAGES;
            const u32 from = memory + stage * STAGE_BYTES;
            wait(full + stage * 8, count / STAGES & 1);
            fence_products();
            #pragma unroll
            for (int k = 0; k < TILE_K / 16; k++)
                multiply_add_group(sums, descriptor(from + group * (X_BYTES / 2) + k * 32), descriptor(from + X_BYTES + k * 32));
            commit_products();
            // Those of the step before are done.
            wait_products<1>();
            if (is_first && step > 0) arrive(empty + (count - 1) % STAGES * 8);
        }
        wait_products<0>();
        if (is_first) arrive(empty + (count - 1) % STAGES * 8);

        const u32 row = tile.row + group * 64 + warp * 16 + lane / 4;
#if EPILOGUE == SWIGLU
        #pragma unroll
        for (int first = 0; first < TILE_N / 16; first += 4)
            #pragma unroll
            for (int half = 0; half < 2; half++) {
                float2 gate[4], up[4];
                #pragma unroll
                for (int j = 0; j < 4; j++) {
                    const float *of_gate = sums + (first + j) * 4 + half * 2, *of_up = of_gate + TILE_N / 4;
                    gate[j] = make_float2(of_gate[0], of_gate[1]), up[j] = make_float2(of_up[0], of_up[1]);
                }
                put_swiglu(h, product, row + half * 8, tile.column + first * 8, lane, gate, up);
            }
#else
        float* y = PICK(y, tile.weight);
        #pragma unroll
        for (int first = 0; first < TILE_N / 8; first += 4)
            #pragma unroll
            for (int half = 0; half < 2; half++) {
                float2 four[4];
                #pragma unroll
                for (int j = 0; j < 4; j++) {
                    const float* two = sums + (first + j) * 4 + half * 2;
                    four[j] = make_float2(two[0], two[1]);
                }
                put(y, RESIDUAL, RMS, product, product.outputs[tile.weight], row + half * 8, tile.column + first * 8, lane, four);
            }
#endif
    }
}
