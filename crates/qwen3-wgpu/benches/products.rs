//! What cubek's products do on the GPUs here, by name: which are taken, right, and how fast.
//!
//! `cargo bench -p e2e --bench wgpu_products -- vulkan` (or `wgpu`: WGSL, as Metal and DirectX 12 have it). Float16
//! factors of whole numbers and float32 sums, so that every sum is exact. A row a product and shape: the median of
//! five runs of some launches each, microseconds and TFLOP/s. Each product runs in a process of its own, since one
//! that a driver refuses leaves CubeCL's device unusable.
#![recursion_limit = "256"]

use burn::tensor::{DType, Tensor, TensorData, backend::Backend};
use burn_cubecl::CubeBackend;
use burn_wgpu::{WgpuDevice, WgpuRuntime};
use cubecl::ir::StorageType;
use cubek::matmul::definition::{MatmulElems, MatmulGlobalElems};
use cubek::matmul::launch::{Strategy, launch_ref};
use cubek::std::InputBinding;
use qwen3_wgpu::{Api, open_adapter};
use std::process::Command;
use std::time::Instant;

type Gpu = CubeBackend<WgpuRuntime, f32, i32, u32>;

/// Rows, inputs and outputs: layers of the 0.6B and the 4B model.
const SHAPES: [[usize; 3]; 10] = [
    [16, 1024, 3072],
    [16, 3072, 1024],
    [512, 1024, 2048],
    [512, 1024, 3072],
    [512, 3072, 1024],
    [4096, 1024, 2048],
    [4096, 1024, 3072],
    [4096, 3072, 1024],
    [4096, 2560, 9728],
    [4096, 9728, 2560],
];
const RUNS: usize = 5;
/// Of one run, at least.
const SECONDS: f64 = 0.02;

fn strategies() -> Vec<(&'static str, Strategy)> {
    macro_rules! named {
        ($($name:ident)*) => { vec![$((stringify!($name), Strategy::$name(Default::default()))),*] };
    }
    // The first is what the others are compared with.
    named! {
        SimpleUnit DoubleUnit SimpleCyclicCmma SimpleStridedCmma SimpleTilewiseCmma DoubleCyclicCmma
        DoubleTilewiseCmma DoubleHybridCmma OrderedDoubleCmma SpecializedCyclicCmma SpecializedStridedCmma
        SimpleCyclicMma DoubleCyclicMma OrderedDoubleMma
    }
}

fn main() {
    let arguments: Vec<String> =
        std::env::args().skip(1).filter(|argument| !argument.starts_with("--")).collect();
    match arguments.as_slice() {
        [api, name] => measure(api, name),
        arguments => {
            let api = arguments.first().map_or("vulkan", String::as_str);
            let program = std::env::current_exe().expect("this program");
            for (name, _) in strategies() {
                let status = Command::new(&program).args([api, name]).status();
                if !status.is_ok_and(|status| status.success()) {
                    println!("{name}: ended early");
                }
            }
        }
    }
}

fn measure(api: &str, name: &str) {
    let api = if api == "wgpu" { Api::Wgpu } else { Api::Vulkan };
    let device = open_adapter(api, 0).unwrap_or_else(|error| panic!("{error}"));
    let all = strategies();
    let (_, plain) = &all[0];
    let (_, strategy) = all.iter().find(|(known, _)| *known == name).expect("a known name");
    for shape in SHAPES {
        let [rows, inputs, outputs] = shape;
        let factors = [whole([rows, inputs], &device), whole([outputs, inputs], &device)];
        let label = format!("{name} {rows} x {inputs} x {outputs}");
        match product(&factors, strategy) {
            Err(refusal) => println!("{label}: {}", refusal.lines().next().unwrap_or_default()),
            Ok(found) => {
                let expected = product(&factors, plain).expect("plain units take it");
                let is_right = found.into_data() == expected.into_data();
                let seconds = median_seconds(&device, || {
                    product(&factors, strategy).expect("it was taken before");
                });
                let tera = 2e-12 * (rows * inputs * outputs) as f64 / seconds;
                let verdict = if is_right { "right" } else { "WRONG" };
                println!("{label}: {verdict}, {:.1} us, {tera:.2} TFLOP/s", seconds * 1e6);
            }
        }
    }
}

/// Whole numbers from -2 to 2, in float16.
fn whole(shape: [usize; 2], device: &WgpuDevice) -> Tensor<Gpu, 2> {
    let numbers = (0..shape[0] * shape[1]).map(|i| ((i * 7919 + i / 61 * 31) % 5) as f32 - 2.0);
    let data = TensorData::new(numbers.collect::<Vec<_>>(), shape);
    Tensor::<Gpu, 2>::from_data(data, (device, DType::F32)).cast(DType::F16)
}

fn product(factors: &[Tensor<Gpu, 2>; 2], strategy: &Strategy) -> Result<Tensor<Gpu, 2>, String> {
    let [x, weight] = factors.clone();
    let (rows, outputs) = (x.dims()[0], weight.dims()[0]);
    let y = Tensor::<Gpu, 2>::empty([rows, outputs], (&x.device(), DType::F32));
    let (half, sum): (StorageType, StorageType) = (DType::F16.into(), DType::F32.into());
    let globals = MatmulGlobalElems { lhs: half, rhs: half, out: sum };
    let [x, weight] = [x, weight.transpose()].map(|factor| factor.into_primitive().tensor());
    let output = y.clone().into_primitive().tensor();
    let client = output.client.clone();
    launch_ref(
        strategy,
        &client,
        InputBinding::new(x.binding(), half),
        InputBinding::new(weight.binding(), half),
        output.binding(),
        &mut MatmulElems::from_globals(&globals),
    )
    .map_err(|error| error.to_string())?;
    Ok(y)
}

fn median_seconds(device: &WgpuDevice, launch: impl Fn()) -> f64 {
    let sync = || Gpu::sync(device).expect("the device works");
    let timed = |launches: usize| {
        let start = Instant::now();
        (0..launches).for_each(|_| launch());
        sync();
        start.elapsed().as_secs_f64() / launches as f64
    };
    sync();
    let launches = (SECONDS / timed(1)).clamp(1.0, 100.0) as usize;
    let mut seconds: Vec<f64> = (0..RUNS).map(|_| timed(launches)).collect();
    seconds.sort_by(f64::total_cmp);
    seconds[RUNS / 2]
}
