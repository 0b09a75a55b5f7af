//! How the scores of a cube are divided among its units.

/// Units that share a row of scores.
pub(super) const LANES: usize = 8;
/// Rows of scores that a cube's units begin with; each unit has every
/// `ROW_UNITS`th row.
pub(super) const ROW_UNITS: usize = 16;
/// Rows of a unit.
pub(super) const UNIT_ROWS: usize = 4;
/// Units of a cube.
pub(super) const UNITS: usize = ROW_UNITS * LANES;
/// Rows of scores of a cube: its queries times the heads that share keys.
pub(super) const ROWS: usize = ROW_UNITS * UNIT_ROWS;

/// What a kernel is compiled for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Shape {
    pub kv_heads: usize,
    /// Query heads that share a key head.
    pub group: usize,
    /// Vectors of a head.
    pub vectors: usize,
    /// Keys of a block.
    pub keys: usize,
}

impl Shape {
    /// Vectors from a key in shared memory to the next: a gap of one makes units
    /// read different banks.
    pub fn key_stride(self) -> usize {
        self.vectors + 1
    }

    /// The same of a row of weights.
    pub fn weights_stride(self) -> usize {
        self.keys + 1
    }

    /// Keys of a block that a unit scores for each of its rows.
    pub fn unit_keys(self) -> usize {
        self.keys / LANES
    }

    /// Vectors of a head that a unit sums for each of its rows.
    pub fn unit_vectors(self) -> usize {
        self.vectors.div_ceil(LANES)
    }

    /// Shared memory of a cube, see [`super::shared::Shared`].
    pub fn shared_bytes(self, vector_size: usize) -> usize {
        let block = self.keys * self.key_stride() * vector_size;
        (block + ROWS * self.weights_stride() + ROWS * LANES) * size_of::<f32>()
    }
}
