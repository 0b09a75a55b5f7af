// Causal attention over packed sequences with tensor cores (Dao 2023, arXiv:2307.08691).
//
// A block takes the query heads that share a key head, of a block of queries of one sequence: ROWS rows,
// 32 for each warp, so that what a warp reads of keys and values is multiplied twice. It goes through the
// keys KEYS at a time with a running softmax; values are brought while scores are computed, and the next
// keys while values are added.

#define WARP_ROWS 32
#define WARPS (ROWS / WARP_ROWS)
#define THREADS (WARPS * 32)
#define CHUNKS (WIDTH / 8)
#define TILE_BYTES (KEYS * WIDTH * 2)
#define FRAGMENTS (WARP_ROWS / 16)

struct Attention {
    // Query heads of a key head, and key heads.
    u32 group, kv_heads;
    // What scores are multiplied with, times the logarithm of e to base 2: softmax takes powers of 2.
    float scale;
};

// Queries of one sequence with the heads that share a key head: row r is query r / group, head r % group.
struct Rows {
    u32 first_query, count, group, kv_heads, kv_head;
};

// The place of a row's first number among all queries.
DEVICE u64 place(const Rows& rows, u32 row) {
    const u64 query = rows.first_query + row / rows.group;
    return ((query * rows.kv_heads + rows.kv_head) * rows.group + row % rows.group) * WIDTH;
}

// Queries, scaled and rounded; beyond the block's rows its last.
DEVICE void load_queries(uint4* to, const float* q, const Rows& rows, float scale) {
    #pragma unroll 4
    for (int i = threadIdx.x; i < ROWS * CHUNKS; i += THREADS) {
        const u32 row = i / CHUNKS, chunk = i % CHUNKS;
        const float4* from = (const float4*)(q + place(rows, row < rows.count ? row : rows.count - 1) + chunk * 8);
        const float4 first = from[0], second = from[1];
        to[swizzled<CHUNKS>(row, chunk)] = make_uint4(pack(first.x * scale, first.y * scale), pack(first.z * scale, first.w * scale),
                                                      pack(second.x * scale, second.y * scale), pack(second.z * scale, second.w * scale));
    }
}

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
    const u32 queries = shared_address(shared), keys = queries + ROWS * WIDTH * 2, values = keys + TILE_BYTES;
    const int lane = threadIdx.x % 32, first_row = threadIdx.x / 32 * WARP_ROWS;
    const u32 group = attention.group, kv_heads = attention.kv_heads;
    const u32* block = blocks + blockIdx.x / kv_heads * 4;
    const Rows rows = {block[0], block[1] * group, group, kv_heads, blockIdx.x % kv_heads};
    const u32 first_key = block[2], seen_by_first = block[3], n_keys = seen_by_first + block[1] - 1;
    const u64 stride = (u64)kv_heads * WIDTH;
    k += first_key * stride + rows.kv_head * WIDTH;
    v += first_key * stride + rows.kv_head * WIDTH;

    load_keys(keys, k, 0, n_keys, stride);
    commit_copies();
    load_queries((uint4*)shared, q, rows, attention.scale);

    // Keys that the last of this warp's rows sees: none without rows.
    u32 seen_by_warp = 0;
    if (first_row < rows.count) {
        const u32 last = first_row + WARP_ROWS < rows.count ? first_row + WARP_ROWS : rows.count;
        seen_by_warp = seen_by_first + (last - 1) / group;
    }

    float attended[FRAGMENTS][WIDTH / 8][4], largest[FRAGMENTS][2], sum[FRAGMENTS][2];
    #pragma unroll
    for (int i = 0; i < FRAGMENTS; i++) {
        #pragma unroll
        for (int d = 0; d < WIDTH / 8; d++)
            #pragma unroll
            for (int n = 0; n < 4; n++) attended[i][d][n] = 0.0f;
        #pragma unroll
        for (int half = 0; half < 2; half++) largest[i][half] = -1e30f, sum[i][half] = 0.0f;
    }

    for (u32 first = 0; first < n_keys; first += KEYS) {
        wait_copies<0>();
        __syncthreads();
        load_keys(values, v, first, n_keys, stride);
        commit_copies();

        float scores[FRAGMENTS][KEYS / 8][4];
        if (first < seen_by_warp) {
            #pragma unroll
            for (int i = 0; i < FRAGMENTS; i++)
                #pragma unroll
                for (int j = 0; j < KEYS / 8; j++)
                    #pragma unroll
                    for (int n = 0; n < 4; n++) scores[i][j][n] = 0.0f;
            #pragma unroll
            for (int d = 0; d < WIDTH / 16; d++) {
                u32 a[FRAGMENTS][4];
                #pragma unroll
                for (int i = 0; i < FRAGMENTS; i++)
                    load_matrices(a[i], queries + swizzled<CHUNKS>(first_row + i * 16 + (lane & 15), d * 2 + (lane >> 4)) * 16);
                #pragma unroll
                for (int j = 0; j < KEYS / 8; j += 2) {
                    u32 b[4];
                    const int key = j * 8 + (lane & 7) + ((lane >> 4) << 3);
                    load_matrices(b, keys + swizzled<CHUNKS>(key, d * 2 + ((lane >> 3) & 1)) * 16);
                    #pragma unroll
                    for (int i = 0; i < FRAGMENTS; i++) {
                        multiply_add(scores[i][j], a[i], b[0], b[1]);
                        multiply_add(scores[i][j + 1], a[i], b[2], b[3]);
                    }
                }
            }
            // Keys after a row's own don't count.
            if (first + KEYS > seen_by_first) {
                #pragma unroll
                for (int i = 0; i < FRAGMENTS; i++)
                    #pragma unroll
                    for (int n = 0; n < 4; n++) {
                        const u32 seen = seen_by_first + (first_row + i * 16 + n / 2 * 8 + lane / 4) / group;
                        #pragma unroll
                        for (int j = 0; j < KEYS / 8; j++)
                            if (first + j * 8 + lane % 4 * 2 + n % 2 >= seen) scores[i][j][n] = -1e30f;
                    }
            }
            #pragma unroll
            for (int i = 0; i < FRAGMENTS; i++)
                #pragma unroll
                for (int half = 0; half < 2; half++) {
                    float most = largest[i][half];
                    #pragma unroll
                    for (int j = 0; j < KEYS / 8; j++)
                        #pragma unroll
                        for (int n = half * 2; n < half * 2 + 2; n++) most = fmaxf(most, scores[i][j][n]);
                    most = fmaxf(most, __shfl_xor_sync(0xFFFFFFFF, most, 1));
                    most = fmaxf(most, __shfl_xor_sync(0xFFFFFFFF, most, 2));
                    const float factor = exp2f(largest[i][half] - most);
                    largest[i][half] = most;
                    sum[i][half] *= factor;
                    #pragma unroll
                    for (int d = 0; d < WIDTH / 8; d++) attended[i][d][half * 2] *= factor, attended[i][d][half * 2 + 1] *= factor;
                    #pragma unroll
                    for (int j = 0; j < KEYS / 8; j++) {
                        scores[i][j][half * 2] = exp2f(scores[i][j][half * 2] - most);
                        scores[i][j][half * 2 + 1] = exp2f(scores[i][j][half * 2 + 1] - most);
                        sum[i][half] += scores[i][j][half * 2] + scores[i][j][half * 2 + 1];
                    }
                }
        }

        wait_copies<0>();
        __syncthreads();
        if (first + KEYS < n_keys) load_keys(keys, k, first + KEYS, n_keys, stride);
        commit_copies();
        if (first < seen_by_warp) {
            #pragma unroll
            for (int j = 0; j < KEYS / 16; j++) {
                u32 weights[FRAGMENTS][4];
                #pragma unroll
                for (int i = 0; i < FRAGMENTS; i++)
                    #pragma unroll
                    for (int n = 0; n < 4; n++)
                        weights[i][n] = pack(scores[i][j * 2 + n / 2][n % 2 * 2], scores[i][j * 2 + n / 2][n % 2 * 2 + 1]);
                #pragma unroll
                for (int d = 0; d < WIDTH / 8; d += 2) {
                    u32 b[4];
                    load_transposed(b, values + swizzled<CHUNKS>(j * 16 + (lane & 15), d + (lane >> 4)) * 16);
                    #pragma unroll
                    for (int i = 0; i < FRAGMENTS; i++) {
                        multiply_add(attended[i][d], weights[i], b[0], b[1]);
                        multiply_add(attended[i][d + 1], weights[i], b[2], b[3]);
                    }
                }
            }
        }
    }

    #pragma unroll
    for (int i = 0; i < FRAGMENTS; i++)
        #pragma unroll
        for (int half = 0; half < 2; half++) {
            float all = sum[i][half];
            all += __shfl_xor_sync(0xFFFFFFFF, all, 1);
            all += __shfl_xor_sync(0xFFFFFFFF, all, 2);
            const u32 row = first_row + i * 16 + half * 8 + lane / 4;
            if (row >= rows.count) continue;
            half_t* to = output + place(rows, row) + lane % 4 * 2;
            #pragma unroll
            for (int d = 0; d < WIDTH / 8; d++)
                *(u32*)(to + d * 8) = pack(attended[i][d][half * 2] / all, attended[i][d][half * 2 + 1] / all);
        }
}
