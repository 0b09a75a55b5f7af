// Causal attention over packed sequences with tensor cores (Dao 2023, arXiv:2307.08691).
//
// A block takes the query heads that share a key head, of a block of queries of one sequence: ROWS rows,
// 16 for each warp. It goes through the keys KEYS at a time with a running softmax.

#define WARPS (ROWS / 16)
#define THREADS (WARPS * 32)
#define CHUNKS (WIDTH / 8)
#define TILE_BYTES (KEYS * WIDTH * 2)

struct Attention {
    // Query heads of a key head, and key heads.
    u32 group, kv_heads;
    // What scores are multiplied with, times the logarithm of e to base 2: softmax takes powers of 2.
    float scale;
};

// Keys or values of a tile; zeros beyond the last one.
DEVICE void load_keys(u32 to, const half_t* from, u32 first, u32 n_keys, u64 stride) {
    #pragma unroll
    for (int i = threadIdx.x; i < KEYS * CHUNKS; i += THREADS) {
        const int key = i / CHUNKS, chunk = i % CHUNKS;
        const bool is_there = first + key < n_keys;
        copy_async(to + swizzled<CHUNKS>(key, chunk) * 16, from + (is_there ? first + key : 0) * stride + chunk * 8, is_there);
    }
}

extern "C" __global__ void __launch_bounds__(THREADS) ENTRY(
    const float* q, const half_t* k, const half_t* v, const u32* blocks, half_t* output,
    const __grid_constant__ Attention attention) {
    extern __shared__ __align__(128) char shared[];
    const u32 memory = shared_address(shared);
    const int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
    const u32 group = attention.group, kv_heads = attention.kv_heads;
    const u32 kv_head = blockIdx.x % kv_heads;
    const u32* block = blocks + blockIdx.x / kv_heads * 4;
    const u32 first_query = block[0], rows = block[1] * group, first_key = block[2], seen_by_first = block[3];
    const u32 n_keys = seen_by_first + block[1] - 1;
    const u64 stride = (u64)kv_heads * WIDTH;
    k += first_key * stride + kv_head * WIDTH;
    v += first_key * stride + kv_head * WIDTH;

    // Rows of this lane: `row` and the one 8 further. Those beyond the block compute its last.
    u64 at[2];
    u32 seen[2];
    bool is_there[2];
    #pragma unroll
    for (int half = 0; half < 2; half++) {
        const u32 row = warp * 16 + lane / 4 + half * 8;
        const u32 taken = row < rows ? row : rows - 1;
        is_there[half] = row < rows;
        seen[half] = seen_by_first + taken / group;
        at[half] = (((u64)first_query + taken / group) * kv_heads + kv_head) * group * WIDTH + taken % group * WIDTH;
    }

    const u32 tiles = (n_keys + KEYS - 1) / KEYS;
    load_keys(memory, k, 0, n_keys, stride);
    commit_copies();

    // Queries, scaled: fragments of 16 x 16.
    u32 query[WIDTH / 16][4];
    #pragma unroll
    for (int d = 0; d < WIDTH / 16; d++)
        #pragma unroll
        for (int n = 0; n < 4; n++) {
            const float2 two = *(const float2*)(q + at[n & 1] + d * 16 + (n >> 1) * 8 + lane % 4 * 2);
            query[d][n] = pack(two.x * attention.scale, two.y * attention.scale);
        }

    float attended[WIDTH / 8][4];
    #pragma unroll
    for (int d = 0; d < WIDTH / 8; d++)
        #pragma unroll
        for (int n = 0; n < 4; n++) attended[d][n] = 0.0f;
    float largest[2] = {-1e30f, -1e30f}, sum[2] = {0.0f, 0.0f};

    for (u32 tile = 0; tile < tiles; tile++) {
        const u32 keys = memory + (tile & 1) * TILE_BYTES, values = memory + (2 + (tile & 1)) * TILE_BYTES;
        const u32 first = tile * KEYS;
        load_keys(values, v, first, n_keys, stride);
        commit_copies();
        if (tile + 1 < tiles) load_keys(memory + (~tile & 1) * TILE_BYTES, k, first + KEYS, n_keys, stride);
        commit_copies();
        wait_copies<2>();
        __syncthreads();

        float scores[KEYS / 8][4];
        #pragma unroll
        for (int j = 0; j < KEYS / 8; j += 2) {
            #pragma unroll
            for (int n = 0; n < 4; n++) scores[j][n] = scores[j + 1][n] = 0.0f;
            #pragma unroll
            for (int d = 0; d < WIDTH / 16; d++) {
                u32 b[4];
                const int key = j * 8 + (lane & 7) + ((lane >> 4) << 3);
                load_matrices(b, keys + swizzled<CHUNKS>(key, d * 2 + ((lane >> 3) & 1)) * 16);
                multiply_add(scores[j], query[d], b[0], b[1]);
                multiply_add(scores[j + 1], query[d], b[2], b[3]);
            }
        }

        // Keys after a row's own don't count.
        if (first + KEYS > seen_by_first) {
            #pragma unroll
            for (int j = 0; j < KEYS / 8; j++)
                #pragma unroll
                for (int n = 0; n < 4; n++)
                    if (first + j * 8 + lane % 4 * 2 + (n & 1) >= seen[n >> 1]) scores[j][n] = -1e30f;
        }
        #pragma unroll
        for (int half = 0; half < 2; half++) {
            float most = largest[half];
            #pragma unroll
            for (int j = 0; j < KEYS / 8; j++) most = fmaxf(most, fmaxf(scores[j][half * 2], scores[j][half * 2 + 1]));
            most = fmaxf(most, __shfl_xor_sync(0xFFFFFFFF, most, 1));
            most = fmaxf(most, __shfl_xor_sync(0xFFFFFFFF, most, 2));
            const float factor = exp2f(largest[half] - most);
            largest[half] = most;
            sum[half] *= factor;
            #pragma unroll
            for (int d = 0; d < WIDTH / 8; d++) attended[d][half * 2] *= factor, attended[d][half * 2 + 1] *= factor;
            #pragma unroll
            for (int j = 0; j < KEYS / 8; j++) {
                scores[j][half * 2] = exp2f(scores[j][half * 2] - most);
                scores[j][half * 2 + 1] = exp2f(scores[j][half * 2 + 1] - most);
                sum[half] += scores[j][half * 2] + scores[j][half * 2 + 1];
            }
        }

        wait_copies<1>();
        __syncthreads();
        #pragma unroll
        for (int j = 0; j < KEYS / 16; j++) {
            const u32 weights[4] = {pack(scores[j * 2][0], scores[j * 2][1]), pack(scores[j * 2][2], scores[j * 2][3]),
                                    pack(scores[j * 2 + 1][0], scores[j * 2 + 1][1]), pack(scores[j * 2 + 1][2], scores[j * 2 + 1][3])};
            #pragma unroll
            for (int d = 0; d < WIDTH / 8; d += 2) {
                u32 b[4];
                load_transposed(b, values + swizzled<CHUNKS>(j * 16 + (lane & 15), d + (lane >> 4)) * 16);
                multiply_add(attended[d], weights, b[0], b[1]);
                multiply_add(attended[d + 1], weights, b[2], b[3]);
            }
        }
    }

    #pragma unroll
    for (int half = 0; half < 2; half++) {
        float all = sum[half];
        all += __shfl_xor_sync(0xFFFFFFFF, all, 1);
        all += __shfl_xor_sync(0xFFFFFFFF, all, 2);
        if (!is_there[half]) continue;
        #pragma unroll
        for (int d = 0; d < WIDTH / 8; d++)
            *(u32*)(output + at[half] + d * 8 + lane % 4 * 2) =
                pack(attended[d][half * 2] / all, attended[d][half * 2 + 1] / all);
    }
}
