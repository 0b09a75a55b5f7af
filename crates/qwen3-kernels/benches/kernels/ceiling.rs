//! What the processor can do: independent products in registers, and reading memory.

use qwen3_dtypes::Dtype;
use qwen3_kernels::isa::Isa;
use std::hint::black_box;
use std::time::Instant;

/// Products in all threads at once, by the instructions that a kernel uses.
#[derive(Default)]
pub struct Ceiling {
    pub gigaflops: f64,
}

/// Rounds of one measurement, about a fifth of a second.
const ROUNDS: usize = 10_000_000;

impl Ceiling {
    /// The best of three measurements.
    pub fn measure(isa: Isa, dtype: Dtype, threads: usize) -> Self {
        let (round, flop): (fn(usize), usize) = match isa {
            #[cfg(target_arch = "x86_64")]
            Isa::AmxBf16 if dtype != Dtype::F32 => (x86::bf16_tiles, x86::FLOP_BF16_TILES),
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512Bf16 | Isa::Avx512Vnni if dtype.is_blocks() => {
                (x86::int8_512, x86::FLOP_INT8_512)
            }
            #[cfg(target_arch = "x86_64")]
            Isa::AvxVnni if dtype.is_blocks() => (x86::int8_256, x86::FLOP_INT8_256),
            #[cfg(target_arch = "x86_64")]
            Isa::Avx2 if dtype == Dtype::Q8_0 => (x86::int8_pairs, x86::FLOP_INT8_PAIRS),
            #[cfg(target_arch = "x86_64")]
            Isa::Avx2 if dtype.is_blocks() => (x86::narrow_pairs, x86::FLOP_NARROW_PAIRS),
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512Bf16 if dtype != Dtype::F32 => (x86::bf16_512, x86::FLOP_BF16_512),
            #[cfg(target_arch = "x86_64")]
            Isa::AmxBf16 | Isa::Avx512Bf16 | Isa::Avx512Vnni | Isa::Avx512 => {
                (x86::f32_512, x86::FLOP_F32_512)
            }
            #[cfg(target_arch = "x86_64")]
            Isa::AvxVnni | Isa::Avx2 => (x86::f32_256, x86::FLOP_F32_256),
            _ => (portable, FLOP_PORTABLE),
        };
        let gigaflops = (0..3)
            .map(|_| {
                let start = Instant::now();
                std::thread::scope(|scope| {
                    for _ in 0..threads {
                        scope.spawn(|| round(ROUNDS));
                    }
                });
                (threads * ROUNDS * flop) as f64 / start.elapsed().as_secs_f64() / 1e9
            })
            .fold(0.0, f64::max);
        println!("ceiling of products with {dtype}: {gigaflops:.0} GFLOP/s\n");
        Self { gigaflops }
    }
}

/// Of memory that no cache holds, by all threads.
pub fn read_gigabytes_per_second(threads: usize) -> f64 {
    let numbers = vec![1u64; 32 << 20];
    let read = || {
        let start = Instant::now();
        std::thread::scope(|scope| {
            for part in numbers.chunks(numbers.len().div_ceil(threads)) {
                scope.spawn(move || black_box(part.iter().fold(0, |sum, x| sum ^ x)));
            }
        });
        size_of_val(&numbers[..]) as f64 / start.elapsed().as_secs_f64() / 1e9
    };
    let best = (0..5).map(|_| read()).fold(0.0, f64::max);
    println!("reading memory: {best:.0} GB/s\n");
    best
}

const FLOP_PORTABLE: usize = 2 * 64;

/// Whatever the compiler makes of it.
fn portable(rounds: usize) {
    let (mut sums, x) = ([0f32; 64], black_box(1f32));
    for _ in 0..rounds {
        sums.iter_mut().for_each(|sum| *sum += x * x);
        black_box(&mut sums);
    }
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::asm;
    use std::arch::x86_64::*;
    use std::hint::black_box;

    /// Sums that wait for none of the others.
    const SUMS: usize = 20;
    const SUMS_256: usize = 12;
    /// Four products of 16 by 32 with 32 by 16 numbers.
    pub const FLOP_BF16_TILES: usize = 4 * 2 * 16 * 32 * 16;
    pub const FLOP_BF16_512: usize = SUMS * 64;
    pub const FLOP_INT8_512: usize = SUMS * 128;
    pub const FLOP_INT8_256: usize = SUMS_256 * 64;
    pub const FLOP_INT8_PAIRS: usize = SUMS_256 * 64;
    pub const FLOP_NARROW_PAIRS: usize = SUMS_256 * 64;
    pub const FLOP_F32_512: usize = SUMS * 32;
    pub const FLOP_F32_256: usize = SUMS_256 * 16;

    /// Products of tiles of zeros, whose time doesn't depend on the numbers.
    pub fn bf16_tiles(rounds: usize) {
        // 64 bytes: palette 1, and 16 rows of 64 bytes in each of eight tiles.
        let mut configuration = [0u8; 64];
        configuration[0] = 1;
        for tile in 0..8 {
            configuration[16 + 2 * tile] = 64;
            configuration[48 + tile] = 16;
        }
        // Safety: called for a processor that has tiles, which the system has
        // permitted (`Isa`); 64 bytes are read.
        unsafe {
            asm!(
                "ldtilecfg [{configuration}]",
                "2:",
                "tdpbf16ps tmm0, tmm4, tmm6",
                "tdpbf16ps tmm1, tmm5, tmm6",
                "tdpbf16ps tmm2, tmm4, tmm7",
                "tdpbf16ps tmm3, tmm5, tmm7",
                "dec {rounds}",
                "jnz 2b",
                "tilerelease",
                configuration = in(reg) &raw const configuration,
                rounds = inout(reg) rounds => _,
                options(nostack, readonly),
                out("tmm0") _, out("tmm1") _, out("tmm2") _, out("tmm3") _,
                out("tmm4") _, out("tmm5") _, out("tmm6") _, out("tmm7") _,
            );
        }
    }

    pub fn bf16_512(rounds: usize) {
        // Safety: called for a processor that has them (`Isa`).
        unsafe { bf16_512_loop(rounds) }
    }

    pub fn int8_512(rounds: usize) {
        // Safety: as above.
        unsafe { int8_512_loop(rounds) }
    }

    pub fn int8_256(rounds: usize) {
        // Safety: as above.
        unsafe { int8_256_loop(rounds) }
    }

    pub fn int8_pairs(rounds: usize) {
        // Safety: as above.
        unsafe { int8_pairs_loop(rounds) }
    }

    pub fn narrow_pairs(rounds: usize) {
        // Safety: as above.
        unsafe { narrow_pairs_loop(rounds / 4) }
    }

    pub fn f32_512(rounds: usize) {
        // Safety: as above.
        unsafe { f32_512_loop(rounds) }
    }

    pub fn f32_256(rounds: usize) {
        // Safety: as above.
        unsafe { f32_256_loop(rounds) }
    }

    #[target_feature(enable = "avx512f,avx512vl,avx512bf16")]
    fn bf16_512_loop(rounds: usize) {
        let mut sums = [_mm512_setzero_ps(); SUMS];
        let x = _mm512_set1_epi16(black_box(0x3f80));
        // Safety: both are 64 bytes.
        let x = unsafe { std::mem::transmute::<__m512i, __m512bh>(x) };
        for _ in 0..rounds {
            sums.iter_mut().for_each(|sum| *sum = _mm512_dpbf16_ps(*sum, x, x));
        }
        black_box(sums);
    }

    #[target_feature(enable = "avx512f,avx512vl,avx512vnni")]
    fn int8_512_loop(rounds: usize) {
        let mut sums = [_mm512_setzero_si512(); SUMS];
        let x = _mm512_set1_epi8(black_box(1));
        for _ in 0..rounds {
            sums.iter_mut().for_each(|sum| *sum = _mm512_dpbusd_epi32(*sum, x, x));
        }
        black_box(sums);
    }

    #[target_feature(enable = "avx2,avxvnni")]
    fn int8_256_loop(rounds: usize) {
        let mut sums = [_mm256_setzero_si256(); SUMS_256];
        let x = _mm256_set1_epi8(black_box(1));
        for _ in 0..rounds {
            sums.iter_mut().for_each(|sum| *sum = _mm256_dpbusd_avx_epi32(*sum, x, x));
        }
        black_box(sums);
    }

    /// Products of codes of 8 bits, whose signs `x` takes over.
    #[target_feature(enable = "avx2")]
    fn int8_pairs_loop(rounds: usize) {
        let mut sums = [_mm256_setzero_si256(); SUMS_256];
        let (x, one) = (_mm256_set1_epi8(black_box(1)), _mm256_set1_epi16(black_box(1)));
        for _ in 0..rounds {
            for sum in &mut sums {
                let pairs = _mm256_maddubs_epi16(x, _mm256_sign_epi8(x, *sum));
                *sum = _mm256_add_epi32(*sum, _mm256_madd_epi16(pairs, one));
            }
        }
        black_box(sums);
    }

    /// Products of codes of 5 bits, of which four pairs are added in 16 bits.
    #[target_feature(enable = "avx2")]
    fn narrow_pairs_loop(rounds: usize) {
        let mut sums = [_mm256_setzero_si256(); SUMS_256];
        let (xs, one) =
            (black_box([1; 4]).map(|x| _mm256_set1_epi8(x)), _mm256_set1_epi16(black_box(1)));
        for _ in 0..rounds {
            for sum in &mut sums {
                let pairs = xs.map(|x| _mm256_maddubs_epi16(x, *sum));
                let pairs = pairs.into_iter().reduce(|a, b| _mm256_add_epi16(a, b));
                let pairs = pairs.expect("there are four");
                *sum = _mm256_add_epi32(*sum, _mm256_madd_epi16(pairs, one));
            }
        }
        black_box(sums);
    }

    #[target_feature(enable = "avx512f,avx512vl")]
    fn f32_512_loop(rounds: usize) {
        let mut sums = [_mm512_setzero_ps(); SUMS];
        let x = _mm512_set1_ps(black_box(1.0));
        for _ in 0..rounds {
            sums.iter_mut().for_each(|sum| *sum = _mm512_fmadd_ps(x, x, *sum));
        }
        black_box(sums);
    }

    #[target_feature(enable = "avx2,fma")]
    fn f32_256_loop(rounds: usize) {
        let mut sums = [_mm256_setzero_ps(); SUMS_256];
        let x = _mm256_set1_ps(black_box(1.0));
        for _ in 0..rounds {
            sums.iter_mut().for_each(|sum| *sum = _mm256_fmadd_ps(x, x, *sum));
        }
        black_box(sums);
    }
}
