//! Each kernel of the CPU in the shapes of the 0.6B model, with GFLOP/s and the
//! fraction of what the processor can do, measured before each group.
//!
//! `cargo bench -p qwen3-kernels --features cpu -- [name]`; the environment's
//! `QWEN3_CPU_ISA` chooses the instructions.

mod ceiling;
#[path = "../../src/random.rs"]
mod random;

use burn::tensor::{DType, Tensor, TensorData};
use burn_flex::Flex;
use ceiling::{Ceiling, read_gigabytes_per_second};
use criterion::{Criterion, Throughput};
use qwen3_dtypes::{Dtype, Layout, strips};
use qwen3_kernels::MatmulStrategy::PlainUnits;
use qwen3_kernels::isa::Isa;
use qwen3_kernels::{Blocks, Kernels, VarlenAttention, VarlenLayout, Weight};
use std::hint::black_box;
use std::time::{Duration, Instant};

/// hidden_size
const C: usize = 1024;
/// intermediate_size
const F: usize = 3072;
/// num_attention_heads
const H: usize = 16;
/// num_key_value_heads
const K: usize = 8;
/// head_dim
const D: usize = 128;
/// Rows of a batch: a token, a query, a full batch.
const TOKENS: [usize; 3] = [1, 16, 512];
/// How weights are stored.
const STORED: [(Dtype, Layout); 8] = [
    (Dtype::F32, Layout::Rows),
    (Dtype::Bf16, Layout::Rows),
    (Dtype::Q8_0, Layout::Rows),
    (Dtype::Q8_0, Layout::Strips),
    (Dtype::Q4_0, Layout::Rows),
    (Dtype::Q4_0, Layout::Strips),
    (Dtype::Q6_K, Layout::Rows),
    (Dtype::Q4_K, Layout::Rows),
];
/// Bytes that no cache holds.
const BEYOND_CACHES: usize = 640 << 20;

/// Numbers between -1 and 1.
fn random<const N: usize>(shape: [usize; N]) -> Tensor<Flex, N> {
    let values = random::random(shape.iter().product(), 1);
    Tensor::from_data(TensorData::new(values, shape), &Default::default())
}

/// A weight, of any codes and of scales of about a hundredth where it is in blocks.
fn weight((dtype, layout): (Dtype, Layout), shape: [usize; 2]) -> Weight<Flex> {
    match dtype {
        Dtype::F32 => Weight::from(random(shape)),
        Dtype::Bf16 => Weight::from(random(shape).cast(DType::BF16)),
        _ => {
            let n = dtype.bytes_of(shape[0] * shape[1]);
            let numbers = random::random(n, 1);
            let mut bytes: Vec<u8> = numbers.iter().map(|x| (x * 1e6) as i32 as u8).collect();
            for block in bytes.chunks_mut(dtype.block_bytes()) {
                // The upper halves of the scales, wherever a dtype has them; in others codes.
                for at in [1, 3, 209].into_iter().filter(|at| *at < dtype.block_bytes()) {
                    block[at] = 0x20 | block[at] & 0x83;
                }
            }
            if layout == Layout::Strips {
                bytes = strips::of_rows(dtype, shape, &bytes);
            }
            let words = bytes.as_chunks().0.iter().map(|word| u32::from_le_bytes(*word));
            let data = TensorData::new(words.collect::<Vec<u32>>(), [n / 4]);
            let words = Tensor::from_data(data, (&Default::default(), DType::U32));
            Weight::Blocks(Blocks::new(dtype, shape, words).laid(layout))
        }
    }
}

/// The same weight in memory of each one's own.
fn copies(weight: &Weight<Flex>, n: usize) -> Vec<Weight<Flex>> {
    let device = Default::default();
    let copy = |_| match weight {
        Weight::Float(numbers) => {
            let dtype = numbers.dtype();
            Weight::from(Tensor::<Flex, 2>::from_data(numbers.to_data(), (&device, dtype)))
        }
        Weight::Blocks(blocks) => {
            let words = Tensor::from_data(blocks.words().to_data(), (&device, DType::U32));
            let copy = Blocks::new(blocks.dtype(), blocks.dims(), words);
            Weight::Blocks(copy.laid(blocks.layout()))
        }
    };
    (0..n).map(copy).collect()
}

/// Such as `q8_0 strips`; row after row is not said.
fn said((dtype, layout): (Dtype, Layout)) -> String {
    match layout {
        Layout::Rows => dtype.to_string(),
        Layout::Strips => format!("{dtype} strips"),
    }
}

/// What a kernel does each time.
enum Work {
    Flop(usize),
    Bytes(usize),
}

struct Bench {
    criterion: Criterion,
    /// Of this dtype's products.
    ceiling: Ceiling,
    gigabytes_per_second: f64,
}

impl Bench {
    /// Times `call` and says which part of the ceiling it reaches.
    fn run<T>(&mut self, name: &str, work: Work, mut call: impl FnMut() -> T) {
        let mut group = self.criterion.benchmark_group("kernels");
        let mut best = f64::INFINITY;
        group.throughput(match work {
            Work::Flop(flop) => Throughput::Elements(flop as u64),
            Work::Bytes(bytes) => Throughput::Bytes(bytes as u64),
        });
        group.sample_size(10).warm_up_time(Duration::from_millis(300));
        group.measurement_time(Duration::from_secs(2));
        group.bench_function(name, |bencher| {
            bencher.iter_custom(|times| {
                let start = Instant::now();
                for _ in 0..times {
                    black_box(call());
                }
                let elapsed = start.elapsed();
                best = best.min(elapsed.as_secs_f64() / times as f64);
                elapsed
            });
        });
        group.finish();
        if !best.is_finite() {
            return; // Left out by the filter.
        }
        let (rate, unit, limit) = match work {
            Work::Flop(flop) => (flop as f64 / best / 1e9, "GFLOP/s", self.ceiling.gigaflops),
            Work::Bytes(bytes) => (bytes as f64 / best / 1e9, "GB/s", self.gigabytes_per_second),
        };
        println!("{name}: at best {rate:.0} {unit}, {:.0} % of {limit:.0}\n", 100.0 * rate / limit);
    }

    fn products(&mut self, stored: (Dtype, Layout)) {
        let weight = |rows, columns| weight(stored, [rows, columns]);
        let (q, k, v) = (weight(H * D, C), weight(K * D, C), weight(K * D, C));
        let (o, down) = (weight(C, H * D), weight(C, F));
        let (gate, up) = (weight(F, C), weight(F, C));
        for tokens in TOKENS {
            let name = |kernel: &str| format!("{kernel} {tokens} {}", said(stored));
            let (x, attended) = (random([tokens, C]), random([tokens, H * D]));
            let mut residual = Some(random([tokens, C]));
            let flop = |parameters: usize| Work::Flop(2 * tokens * parameters);
            self.run(&name("q k v"), flop((H + 2 * K) * D * C), || {
                Flex::linears(x.clone(), [q.clone(), k.clone(), v.clone()], PlainUnits)
            });
            self.run(&name("o"), flop(C * H * D), || {
                let hidden = residual.take().expect("it was put back");
                residual = Some(Flex::linear_add(hidden, attended.clone(), o.clone(), PlainUnits));
            });
            self.run(&name("gate up"), flop(2 * C * F), || {
                Flex::linears(x.clone(), [gate.clone(), up.clone()], PlainUnits)
            });
            let wide = random([tokens, F]);
            self.run(&name("down"), flop(C * F), || {
                let hidden = residual.take().expect("it was put back");
                residual = Some(Flex::linear_add(hidden, wide.clone(), down.clone(), PlainUnits));
            });
            self.run(&name("swiglu_mlp"), flop(3 * C * F), || {
                let (hidden, x) = (residual.take().expect("it was put back"), x.clone());
                let [gate, up, down] = [&gate, &up, &down].map(Clone::clone);
                residual = Some(Flex::swiglu_mlp(hidden, x, gate, up, down, PlainUnits));
            });
        }
    }

    /// Weights that are nowhere but in memory, as those of a model are when its next pass begins.
    fn bound_by_memory(&mut self, stored: (Dtype, Layout)) {
        let bytes = stored.0.bytes_of(2 * C * F);
        let mut layers = vec![];
        for tokens in [1, 16] {
            let x = random([tokens, C]);
            let mut next = 0;
            let name = format!("gate up from memory {tokens} {}", said(stored));
            self.run(&name, Work::Bytes(bytes), || {
                if layers.is_empty() {
                    layers = copies(&weight(stored, [F, C]), 2 * BEYOND_CACHES.div_ceil(bytes));
                }
                next = (next + 2) % layers.len();
                let [gate, up] = [next, next + 1].map(|at| layers[at].clone());
                Flex::linears(x.clone(), [gate, up], PlainUnits)
            });
        }
    }

    fn attention(&mut self, lengths: &[usize], dtype: DType) {
        let mut bounds = vec![0];
        for length in lengths {
            bounds.push(bounds[bounds.len() - 1] + length);
        }
        let tokens = bounds[bounds.len() - 1];
        let layout = VarlenLayout::new(bounds.clone(), bounds);
        let (q, k, v) = (random([tokens, H, D]), random([tokens, K, D]), random([tokens, K, D]));
        let pairs: usize = lengths.iter().map(|length| length * (length + 1) / 2).sum();
        let name = format!("varlen_attention {} x {} {dtype:?}", lengths.len(), lengths[0]);
        self.run(&name, Work::Flop(4 * H * D * pairs), || {
            let (q, k, v, layout) = (q.clone(), k.clone(), v.clone(), &layout);
            let (scale, round_to) = (0.088, dtype);
            Flex::varlen_attention(VarlenAttention {
                q,
                k,
                v,
                layout,
                scale,
                round_to,
                strategy: PlainUnits,
            })
        });
    }

    fn the_rest(&mut self) {
        let tokens = 512;
        let (x, weight) = (random([tokens, C]), random([C]));
        self.run("rms_norm 512", Work::Bytes(8 * tokens * C), || {
            Flex::rms_norm(x.clone(), weight.clone(), 1e-6)
        });
        // Ones: other weights, multiplied in again and again, end in denormal numbers.
        let (x, weight) = (random([tokens, H, D]), Tensor::ones([D], &Default::default()));
        let (cos, sin) = (random([tokens, D / 2]), random([tokens, D / 2]));
        let mut heads = Some(x);
        self.run("rms_norm_rotary 512", Work::Bytes(8 * tokens * H * D), || {
            let x = heads.take().expect("it was put back");
            heads = Some(Flex::rms_norm_rotary(x, weight.clone(), 1e-6, cos.clone(), sin.clone()));
        });
    }
}

fn main() {
    if let Ok(name) = std::env::var("QWEN3_CPU_ISA") {
        Isa::limit(name.parse().expect("QWEN3_CPU_ISA"));
    }
    let isa = Isa::best();
    let threads = rayon::current_num_threads();
    println!("{isa}, {threads} threads\n");
    let criterion = Criterion::default().configure_from_args();
    let gigabytes_per_second = read_gigabytes_per_second(threads);
    let mut bench = Bench { criterion, ceiling: Ceiling::default(), gigabytes_per_second };
    let takes_strips = Flex::layout() == Layout::Strips;
    let stored = STORED.into_iter().filter(|(_, layout)| takes_strips || *layout == Layout::Rows);
    for stored in stored {
        bench.ceiling = Ceiling::measure(isa, stored.0, threads);
        bench.products(stored);
        bench.bound_by_memory(stored);
    }
    for dtype in [DType::BF16, DType::F32] {
        let numbers = if dtype == DType::BF16 { Dtype::Bf16 } else { Dtype::F32 };
        bench.ceiling = Ceiling::measure(isa, numbers, threads);
        bench.attention(&[128; 4], dtype);
        bench.attention(&[512], dtype);
        bench.attention(&[2048], dtype);
    }
    bench.the_rest();
    bench.criterion.final_summary();
}
