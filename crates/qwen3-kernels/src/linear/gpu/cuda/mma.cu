// y = x * weight^T with `mma.sync`, for every GPU from Ampere on; one launch for up to three weights of
// one x, or for gate and up with SWIGLU.
//
// A block computes a tile of TILE_M rows and TILE_N columns. Each warp has WARP_M x WARP_N of it, and
// where WARPS_K > 1 takes every WARPS_K-th step of 16 along the inputs; their sums meet at the end.
// STAGES tiles of both factors are on their way from memory at a time.

#define THREADS ((TILE_M / WARP_M) * (TILE_N / WARP_N) * WARPS_K * 32)
#define CHUNKS (TILE_K / 8)
#define STAGE_CHUNKS ((TILE_M + TILE_N) * CHUNKS)

struct Factors {
    const half_t *x, *weight, *up;
    u32 rows, outputs, inputs;
    // Of the tile.
    u32 row, column;
};

// Rows of the weight's tile: with SWIGLU, eight of gate and eight of up in turns, so that a lane has
// both of a number.
DEVICE const half_t* weight_row(const Factors& f, int row, bool& is_there) {
#if EPILOGUE == SWIGLU
    const u32 output = f.column + (row >> 4) * 8 + (row & 7);
    const half_t* weight = row & 8 ? f.up : f.weight;
#else
    const u32 output = f.column + row;
    const half_t* weight = f.weight;
#endif
    is_there = output < f.outputs;
    return weight + (u64)(is_there ? output : 0) * f.inputs;
}

DEVICE void load_stage(u32 stage, const Factors& f, u32 first_input) {
    #pragma unroll
    for (int i = threadIdx.x; i < STAGE_CHUNKS; i += THREADS) {
        const int row = i / CHUNKS, chunk = i % CHUNKS;
        const u32 input = first_input + chunk * 8;
        bool is_there = input < f.inputs;
        const half_t* from;
        if (row < TILE_M) {
            const u32 at = f.row + row;
            is_there = is_there && at < f.rows;
            from = f.x + (u64)(at < f.rows ? at : 0) * f.inputs;
        } else {
            bool has_row;
            from = weight_row(f, row - TILE_M, has_row);
            is_there = is_there && has_row;
        }
        from += input < f.inputs ? input : 0;
        copy_async(stage + swizzled<CHUNKS>(row, chunk) * 16, from, is_there);
    }
}

extern "C" __global__ void __launch_bounds__(THREADS)
    ENTRY(const half_t* x, FOR_WEIGHTS(const half_t*, weight), OUTPUTS SCALES const __grid_constant__ Product product) {
    extern __shared__ __align__(128) char shared[];
    constexpr int ROW_FRAGMENTS = WARP_M / 16, COLUMN_FRAGMENTS = WARP_N / 8;
    constexpr int WARPS_N = TILE_N / WARP_N;
    const u32 memory = shared_address(shared);
    const int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
    const int warp_k = warp % WARPS_K, warp_n = warp / WARPS_K % WARPS_N, warp_m = warp / WARPS_K / WARPS_N;
    const Tile tile = tile_of(product, blockIdx.x);
    const u32 outputs = product.outputs[tile.weight];
#if EPILOGUE == SWIGLU
    const Factors f = {x, weight0, weight1, product.rows, outputs, product.inputs, tile.row, tile.column};
#else
    const Factors f = {x, PICK(weight, tile.weight), nullptr, product.rows, outputs, product.inputs, tile.row, tile.column};
#endif

    float sums[ROW_FRAGMENTS][COLUMN_FRAGMENTS][4];
    #pragma unroll
    for (int i = 0; i < ROW_FRAGMENTS; i++)
        #pragma unroll
        for (int j = 0; j < COLUMN_FRAGMENTS; j++)
            #pragma unroll
            for (int n = 0; n < 4; n++) sums[i][j][n] = 0.0f;

    const int steps = (product.inputs + TILE_K - 1) / TILE_K;
    #pragma unroll
    for (int stage = 0; stage < STAGES - 1; stage++) {
        if (stage < steps) load_stage(memory + stage * STAGE_CHUNKS * 16, f, stage * TILE_K);
        commit_copies();
    }
    for (int step = 0; step < steps; step++) {
        wait_copies<STAGES - 2>();
        __syncthreads();
        const int next = step + STAGES - 1;
        if (next < steps) load_stage(memory + next % STAGES * STAGE_CHUNKS * 16, f, next * TILE_K);
        commit_copies();

        const u32 stage = memory + step % STAGES * STAGE_CHUNKS * 16;
        #pragma unroll
        for (int k = 0; k < TILE_K / 16; k += WARPS_K) {
            const int chunk = (k + warp_k) * 2;
            u32 a[ROW_FRAGMENTS][4];
            #pragma unroll
            for (int i = 0; i < ROW_FRAGMENTS; i++) {
                const int row = warp_m * WARP_M + i * 16 + (lane & 15);
                load_matrices(a[i], stage + swizzled<CHUNKS>(row, chunk + (lane >> 4)) * 16);
            }
            #pragma unroll
            for (int j = 0; j < COLUMN_FRAGMENTS; j += 2) {
                u32 b[4];
                const int row = TILE_M + warp_n * WARP_N + j * 8 + (lane & 7) + ((lane >> 4) << 3);
                load_matrices(b, stage + swizzled<CHUNKS>(row, chunk + ((lane >> 3) & 1)) * 16);
                #pragma unroll
                for (int i = 0; i < ROW_FRAGMENTS; i++) {
                    multiply_add(sums[i][j], a[i], b[0], b[1]);
                    multiply_add(sums[i][j + 1], a[i], b[2], b[3]);
                }
            }
        }
    }

#if WARPS_K > 1
    // Warps of one tile add up what they have, the first in order.
    constexpr int WARP_SUMS = ROW_FRAGMENTS * COLUMN_FRAGMENTS * 4;
    wait_copies<0>();
    __syncthreads();
    float* parts = (float*)shared + (warp / WARPS_K) * WARPS_K * WARP_SUMS * 32;
    #pragma unroll
    for (int i = 0; i < ROW_FRAGMENTS; i++)
        #pragma unroll
        for (int j = 0; j < COLUMN_FRAGMENTS; j++)
            #pragma unroll
            for (int n = 0; n < 4; n++)
                parts[((warp_k * WARP_SUMS) + (i * COLUMN_FRAGMENTS + j) * 4 + n) * 32 + lane] = sums[i][j][n];
    __syncthreads();
    if (warp_k > 0) return;
    #pragma unroll
    for (int i = 0; i < ROW_FRAGMENTS; i++)
        #pragma unroll
        for (int j = 0; j < COLUMN_FRAGMENTS; j++)
            #pragma unroll
            for (int n = 0; n < 4; n++)
                #pragma unroll
                for (int part = 1; part < WARPS_K; part++)
                    sums[i][j][n] += parts[((part * WARP_SUMS) + (i * COLUMN_FRAGMENTS + j) * 4 + n) * 32 + lane];
#endif

    #pragma unroll
    for (int i = 0; i < ROW_FRAGMENTS; i++) {
        const u32 row = f.row + warp_m * WARP_M + i * 16 + lane / 4;
#if EPILOGUE == SWIGLU
        const u32 column = f.column + warp_n * (WARP_N / 2);
        #pragma unroll
        for (int first = 0; first < COLUMN_FRAGMENTS; first += 8)
            #pragma unroll
            for (int half = 0; half < 2; half++) {
                float2 gate[4], up[4];
                #pragma unroll
                for (int j = 0; j < 4; j++) {
                    const float *of_gate = sums[i][first + j * 2] + half * 2, *of_up = sums[i][first + j * 2 + 1] + half * 2;
                    gate[j] = make_float2(of_gate[0], of_gate[1]), up[j] = make_float2(of_up[0], of_up[1]);
                }
                put_swiglu(h, product, row + half * 8, column + first * 4, lane, gate, up);
            }
#else
        #pragma unroll
        for (int first = 0; first < COLUMN_FRAGMENTS; first += 4)
            #pragma unroll
            for (int half = 0; half < 2; half++) {
                float2 four[4];
                #pragma unroll
                for (int j = 0; j < 4; j++) {
                    const float* two = sums[i][first + j] + half * 2;
                    four[j] = make_float2(two[0], two[1]);
                }
                const u32 column = f.column + warp_n * WARP_N + first * 8;
                put(PICK(y, tile.weight), RESIDUAL, RMS, product, outputs, row + half * 8, column, lane, four);
            }
#endif
    }
}
