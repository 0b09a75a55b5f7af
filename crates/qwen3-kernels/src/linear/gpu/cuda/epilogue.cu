// What products have in common: which weights there are, which tile a block computes, and what becomes
// of the sums.
//
// EPILOGUE is STORE: y = x * weight^T for each of WEIGHTS weights; ADD: y = residual + x * weight^T; or
// SWIGLU: h = silu(x * gate^T) * (x * up^T), rounded. With SCALED rows are multiplied with `rms` first.

#define STORE 0
#define ADD 1
#define SWIGLU 2

#if WEIGHTS == 1
#define FOR_WEIGHTS(type, name) type name##0
#define PICK(name, index) name##0
#elif WEIGHTS == 2
#define FOR_WEIGHTS(type, name) type name##0, type name##1
#define PICK(name, index) ((index) == 0 ? name##0 : name##1)
#else
#define FOR_WEIGHTS(type, name) type name##0, type name##1, type name##2
#define PICK(name, index) ((index) == 0 ? name##0 : (index) == 1 ? name##1 : name##2)
#endif

// What follows the factors among the parameters.
#define RESIDUAL nullptr
#if EPILOGUE == STORE
#define OUTPUTS FOR_WEIGHTS(float*, y),
#elif EPILOGUE == ADD
#define OUTPUTS const float *residual, float *y0,
#undef RESIDUAL
#define RESIDUAL residual
#else
#define OUTPUTS half_t* h,
#endif
#if SCALED
#define SCALES const float* rms,
#define RMS rms
#else
#define SCALES
#define RMS nullptr
#endif

// Columns of the output that a tile has.
#if EPILOGUE == SWIGLU
#define COLUMNS (TILE_N / 2)
#else
#define COLUMNS TILE_N
#endif

// Row after row; sizes in numbers.
struct Product {
    u32 rows, inputs;
    // Columns of each weight's output, and tiles of them.
    u32 outputs[3], tiles[3];
};

// What a block computes.
struct Tile {
    // Which weight, and its first column.
    u32 weight, column;
    u32 row;
};

DEVICE u32 tiles_of(const Product& product) {
    return (product.rows + TILE_M - 1) / TILE_M * (product.tiles[0] + product.tiles[1] + product.tiles[2]);
}

// Tiles that are computed at a time share weights and rows: columns follow each other within GROUP tiles
// of rows.
DEVICE Tile tile_of(const Product& product, u32 index) {
    constexpr u32 GROUP = 16;
    const u32 row_tiles = (product.rows + TILE_M - 1) / TILE_M;
    const u32 column_tiles = product.tiles[0] + product.tiles[1] + product.tiles[2];
    const u32 group = index / (GROUP * column_tiles), within = index % (GROUP * column_tiles);
    const u32 left = row_tiles - group * GROUP, rows = left < GROUP ? left : GROUP;
    u32 weight = 0, column = within / rows;
    while (weight + 1 < WEIGHTS && column >= product.tiles[weight]) column -= product.tiles[weight++];
    return {weight, column * COLUMNS, (group * GROUP + within % rows) * TILE_M};
}

// Four lanes have four numbers each: lane l gets the l-th of all, so that it can write neighbours at once.
DEVICE void transpose(u32 (&numbers)[4], int lane) {
    const bool is_odd = lane & 1, is_upper = lane & 2;
    #pragma unroll
    for (int i = 0; i < 4; i += 2) {
        const u32 other = __shfl_xor_sync(0xFFFFFFFF, is_odd ? numbers[i] : numbers[i + 1], 1);
        if (is_odd) numbers[i] = other;
        else numbers[i + 1] = other;
    }
    #pragma unroll
    for (int i = 0; i < 2; i++) {
        const u32 other = __shfl_xor_sync(0xFFFFFFFF, is_upper ? numbers[i] : numbers[i + 2], 2);
        if (is_upper) numbers[i] = other;
        else numbers[i + 2] = other;
    }
}

#if EPILOGUE == SWIGLU

DEVICE float silu(float x) { return __fdividef(x, 1.0f + __expf(-x)); }

// 32 columns of a row, of four lanes: lane l's `gate[j]` and `up[j]` are of the columns 8 * j + l % 4 * 2
// and the next.
DEVICE void put_swiglu(half_t* h, const Product& product, u32 row, u32 column, int lane, const float2 (&gate)[4], const float2 (&up)[4]) {
    u32 gated[4];
    #pragma unroll
    for (int j = 0; j < 4; j++) gated[j] = pack(silu(gate[j].x) * up[j].x, silu(gate[j].y) * up[j].y);
    transpose(gated, lane);
    column += lane % 4 * 8;
    if (row < product.rows && column < product.outputs[0])
        *(uint4*)(h + (u64)row * product.outputs[0] + column) = make_uint4(gated[0], gated[1], gated[2], gated[3]);
}

#else

// 32 columns of a row, of four lanes: lane l's `sums[j]` are of the columns 8 * j + l % 4 * 2 and the next.
DEVICE void put(float* y, const float* residual, const float* rms, const Product& product, u32 outputs,
                u32 row, u32 column, int lane, const float2 (&sums)[4]) {
    u32 firsts[4], seconds[4];
    #pragma unroll
    for (int j = 0; j < 4; j++) firsts[j] = __float_as_uint(sums[j].x), seconds[j] = __float_as_uint(sums[j].y);
    transpose(firsts, lane);
    transpose(seconds, lane);
    column += lane % 4 * 8;
    if (row >= product.rows || column >= outputs) return;
    const u64 at = (u64)row * outputs + column;
#if SCALED
    const float factor = __ldg(rms + row);
#else
    const float factor = 1.0f;
#endif
    #pragma unroll
    for (int i = 0; i < 4; i += 2) {
        float4 four = make_float4(__uint_as_float(firsts[i]) * factor, __uint_as_float(seconds[i]) * factor,
                                  __uint_as_float(firsts[i + 1]) * factor, __uint_as_float(seconds[i + 1]) * factor);
#if EPILOGUE == ADD
        const float4 other = __ldg((const float4*)(residual + at + i * 2));
        four = make_float4(other.x + four.x, other.y + four.y, other.z + four.z, other.w + four.w);
#endif
        *(float4*)(y + at + i * 2) = four;
    }
}

#endif
