//! How a product is computed: the one choice from the format of the weights and the
//! set of instructions.
//!
//! | | f32 | bf16 | f16 |
//! |---|---|---|---|
//! | AMX | outer | AMX tiles | dot |
//! | AVX-512 with bfloat16 | outer | bf16 dot | dot |
//! | AVX-512 | outer | dot | dot |
//! | AVX2 | outer | outer | outer |
//! | NEON with bfloat16 | dot | bf16 dot | dot |
//! | NEON, portable | dot | dot | dot |
//!
//! AVX2's 16 registers hold too few sums for dot products, and float32 weights and
//! rows fill the caches: there outer products of packed rows are faster.
//!
//! Weights in q8_0, q5_0, q4_0, q6_k, q5_k and q4_k are multiplied in 8 bits, but with AMX, AVX-512
//! without VNNI and NEON without products of 8 bits; others become bfloat16 where bfloat16 is
//! multiplied, else float32 ([`dtype_of_blocks`]).
//!
//! A new format of weights is an `impl` of [`Format`] here and a line in
//! [`with_format`]; a new set of instructions is a line in each function, and a file
//! with its registers.

use super::accumulate::Accumulate;
#[cfg(all(target_arch = "x86_64", target_os = "linux"))]
use super::amx;
use super::block::Macrokernel;
use super::int8;
#[cfg(target_arch = "aarch64")]
use super::neon;
use super::output::{Input, Output};
#[cfg(target_arch = "x86_64")]
use super::pack::TileShape;
use super::portable;
use super::widen::Widen;
#[cfg(target_arch = "x86_64")]
use super::x86;
use crate::cpu::blocks;
use crate::cpu::isa::Isa;
use burn::tensor::{DType, Element, bf16, f16};
use bytemuck::Pod;
use qwen3_dtypes::Dtype;

/// How products with weights of one format are computed.
pub(crate) enum Path<W: 'static> {
    /// By tiles of bfloat16 pairs: `x` is rounded and packed into them.
    #[cfg(all(target_arch = "x86_64", target_os = "linux"))]
    AmxBf16(fn([usize; 2], Input, &[Output<W>])),
    /// As dot products of bfloat16 numbers: `x` is rounded.
    #[cfg_attr(not(any(target_arch = "x86_64", target_arch = "aarch64")), expect(dead_code))]
    DotBf16(Macrokernel<bf16, W>),
    /// As outer products in float32: `x` is packed by the first, and taken as it is by the other,
    /// for few rows.
    #[cfg(target_arch = "x86_64")]
    OuterF32(TileShape, [Macrokernel<f32, W>; 2]),
    /// In 8 bits: `x` is rounded.
    Int8(fn([usize; 2], Input, &[Output<W>])),
    /// As dot products in float32: everything is taken as it is.
    DotF32(Macrokernel<f32, W>),
}

/// A format of weights: what checkpoints store, row after row, or what becomes of it.
pub(crate) trait Format: Element + Pod {
    fn path(isa: Isa) -> Path<Self>;

    /// The nearest to the numbers of some blocks, ties to even.
    fn widen(isa: Isa, dtype: Dtype, blocks: &[u8], numbers: &mut [Self]);
}

impl Format for f32 {
    fn path(isa: Isa) -> Path<Self> {
        match isa {
            #[cfg(target_arch = "x86_64")]
            Isa::AmxBf16 | Isa::Avx512Bf16 | Isa::Avx512Vnni | Isa::Avx512 => {
                Path::OuterF32(x86::TILE_512, [x86::outer_512::<f32>, x86::outer_of_few::<f32>])
            }
            _ => widened(isa),
        }
    }

    fn widen(isa: Isa, dtype: Dtype, blocks: &[u8], numbers: &mut [Self]) {
        blocks::widen(isa, dtype, blocks, numbers);
    }
}

impl Format for bf16 {
    fn path(isa: Isa) -> Path<Self> {
        match isa {
            #[cfg(all(target_arch = "x86_64", target_os = "linux"))]
            Isa::AmxBf16 => Path::AmxBf16(amx::gemm),
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512Bf16 => Path::DotBf16(x86::dot_bf16_512),
            #[cfg(target_arch = "aarch64")]
            Isa::NeonBf16 => Path::DotBf16(neon::dot_bf16),
            _ => widened(isa),
        }
    }

    fn widen(isa: Isa, dtype: Dtype, blocks: &[u8], numbers: &mut [Self]) {
        blocks::widen_to_bf16(isa, dtype, blocks, numbers);
    }
}

impl Format for f16 {
    fn path(isa: Isa) -> Path<Self> {
        widened(isa)
    }

    fn widen(isa: Isa, dtype: Dtype, blocks: &[u8], numbers: &mut [Self]) {
        blocks::widen_to(isa, dtype, (blocks, numbers), |_, wide, numbers| {
            numbers.iter_mut().zip(wide).for_each(|(number, &x)| *number = Self::from_f32(x));
        });
    }
}

/// Codes of 8 bits, of which the blocks have a scale each.
impl Format for i8 {
    fn path(isa: Isa) -> Path<Self> {
        match isa {
            #[cfg(target_arch = "x86_64")]
            Isa::AmxBf16 | Isa::Avx512Bf16 | Isa::Avx512Vnni => Path::Int8(int8::gemm_avx512_vnni),
            #[cfg(target_arch = "x86_64")]
            Isa::AvxVnni => Path::Int8(int8::gemm_avx_vnni),
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512 | Isa::Avx2 => Path::Int8(int8::gemm_avx2),
            #[cfg(target_arch = "aarch64")]
            Isa::NeonBf16 => Path::Int8(int8::gemm_neon_i8mm),
            #[cfg(target_arch = "aarch64")]
            Isa::NeonDot => Path::Int8(int8::gemm_neon_dot),
            _ => Path::Int8(int8::gemm_plainly),
        }
    }

    fn widen(_: Isa, dtype: Dtype, blocks: &[u8], numbers: &mut [Self]) {
        int8::codes(dtype, blocks, numbers);
    }
}

/// In which format products take weights in blocks. Tiles of bfloat16 are faster than 8 bits.
pub(crate) fn dtype_of_blocks(isa: Isa, dtype: Dtype) -> DType {
    match isa {
        Isa::Avx512Bf16 | Isa::Avx512Vnni | Isa::AvxVnni | Isa::Avx2 if int8::takes(dtype) => {
            DType::I8
        }
        Isa::NeonBf16 | Isa::NeonDot if int8::takes(dtype) => DType::I8,
        _ if rounds_input::<bf16>(isa) => DType::BF16,
        _ => DType::F32,
    }
}

/// With weights that are float32 when they are in a register.
fn widened<W: Widen>(isa: Isa) -> Path<W> {
    match isa {
        #[cfg(target_arch = "x86_64")]
        Isa::AmxBf16 | Isa::Avx512Bf16 | Isa::Avx512Vnni | Isa::Avx512 => {
            Path::DotF32(x86::dot_512::<W>)
        }
        #[cfg(target_arch = "x86_64")]
        Isa::AvxVnni | Isa::Avx2 => {
            Path::OuterF32(x86::TILE_256, [x86::outer_256::<W>, x86::outer_of_few::<W>])
        }
        #[cfg(target_arch = "aarch64")]
        Isa::Neon | Isa::NeonDot | Isa::NeonBf16 => Path::DotF32(neon::dot::<W>),
        _ => Path::DotF32(portable::dot::<W>),
    }
}

/// Evaluates an expression with `$W` the format of a weight's dtype.
///
/// # Panics
/// If no format has it.
macro_rules! with_format {
    ($dtype:expr, $W:ident => $call:expr) => {
        match $dtype {
            burn::tensor::DType::F32 => crate::cpu::gemm::with_format!(@ $W = f32, $call),
            burn::tensor::DType::BF16 => crate::cpu::gemm::with_format!(@ $W = burn::tensor::bf16, $call),
            burn::tensor::DType::I8 => crate::cpu::gemm::with_format!(@ $W = i8, $call),
            burn::tensor::DType::F16 => crate::cpu::gemm::with_format!(@ $W = burn::tensor::f16, $call),
            other => panic!("linear: a weight of dtype {other:?}"),
        }
    };
    (@ $W:ident = $format:ty, $call:expr) => {{
        type $W = $format;
        $call
    }};
}
pub(crate) use with_format;

/// Whether products with such weights round the other side to bfloat16.
pub(crate) fn rounds_input<W: Format>(isa: Isa) -> bool {
    match W::path(isa) {
        #[cfg(all(target_arch = "x86_64", target_os = "linux"))]
        Path::AmxBf16(_) => true,
        Path::DotBf16(_) => true,
        _ => false,
    }
}

/// Sums of products in float32.
pub(crate) fn accumulate_f32(isa: Isa) -> Accumulate<f32> {
    match isa {
        #[cfg(target_arch = "x86_64")]
        Isa::AmxBf16 | Isa::Avx512Bf16 | Isa::Avx512Vnni | Isa::Avx512 => x86::accumulate_512,
        #[cfg(target_arch = "x86_64")]
        Isa::AvxVnni | Isa::Avx2 => x86::accumulate_256,
        #[cfg(target_arch = "aarch64")]
        Isa::Neon | Isa::NeonDot | Isa::NeonBf16 => neon::accumulate_f32,
        _ => portable::accumulate_f32,
    }
}

/// Whether [`accumulate_pairs`] is the processor's own, and so faster than
/// [`accumulate_f32`].
pub(crate) fn has_pair_products(isa: Isa) -> bool {
    matches!(isa, Isa::AmxBf16 | Isa::Avx512Bf16)
}

/// Sums of products of pairs of bfloat16 numbers ([`super::bf16`]).
pub(crate) fn accumulate_pairs(isa: Isa) -> Accumulate<u32> {
    match isa {
        #[cfg(all(target_arch = "x86_64", target_os = "linux"))]
        Isa::AmxBf16 => amx::accumulate_pairs,
        #[cfg(target_arch = "x86_64")]
        Isa::Avx512Bf16 => x86::accumulate_pairs_512,
        _ => portable::accumulate_pairs,
    }
}
