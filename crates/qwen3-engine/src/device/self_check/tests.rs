//! Faults that drivers were seen to have, made on purpose on the GPUs here.

use super::*;
use crate::device::auto::first_trusted;
use crate::device::opened::guarded;
use crate::device::{Device, Devices, GpuApi, devices};
use MatmulStrategy::{PlainUnits, TensorCores};
use qwen3::DeviceKind;
use std::sync::LazyLock;

#[test]
fn every_device_here_passes() {
    let Devices { found, absent } = devices();
    for absent in absent {
        eprintln!("skipped: no `{}` device here ({})", absent.name, absent.reason);
    }
    for device in found {
        for check in self_check(device.id).unwrap() {
            println!("{}: {check:?}", device.id);
            assert!(check.verdict().is_ok(), "{}: {check:?}", device.id);
        }
    }
}

#[test]
fn a_device_that_is_not_there_is_an_error() {
    let message =
        self_check(DeviceId::Gpu { api: GpuApi::Cuda, index: 99 }).unwrap_err().to_string();
    assert!(message.contains("cuda:99"), "{message}");
}

/// How drivers were seen to compute wrong.
#[derive(Clone, Copy, Debug)]
enum Fault {
    /// Numbers near zero, from row 500 on.
    Rows,
    /// Without the last stage of inputs.
    LastStage,
    /// In the second tile of columns.
    Columns,
    /// Attention of heads of this width: the first half of a text isn't seen.
    Heads(usize),
    /// A panic of the GPU library's.
    Panic,
}

/// A device with a fault, whose strategies in `wrong` have it.
struct Faulty<'a> {
    device: OnDevice<'a>,
    fault: Fault,
    wrong: &'static [MatmulStrategy],
}

impl Candidate for Faulty<'_> {
    fn dtype(&self) -> Dtype {
        self.device.dtype
    }

    fn strategies(&self) -> Result<Vec<MatmulStrategy>, Error> {
        Ok(vec![TensorCores, PlainUnits])
    }

    /// On the device in any case: of factors that lack what the fault leaves out.
    fn product(&self, factors: &Factors, strategy: MatmulStrategy) -> Result<Vec<f32>, Error> {
        let mut factors = factors.clone();
        if self.wrong.contains(&strategy) {
            let inputs = factors.inputs;
            let tile = 128 * inputs..256 * inputs;
            match self.fault {
                Fault::Rows => factors.x.iter_mut().skip(500 * inputs).for_each(|x| *x *= 1e-3),
                Fault::LastStage => {
                    let last = (inputs - 1) / 32 * 32;
                    factors.x.chunks_mut(inputs).for_each(|row| row[last..].fill(0.0));
                }
                Fault::Columns => factors.weight[tile].fill(0.0),
                Fault::Heads(_) => {}
                Fault::Panic => return guarded(self.device.device.id, || panic!("of the library")),
            }
        }
        self.device.product(&factors, PlainUnits)
    }

    fn rows(&self, network: &Generated, strategy: MatmulStrategy) -> Result<Vec<f32>, Error> {
        let OnDevice { device, dtype } = self.device;
        let halves = network.sequences.iter().flat_map(|ids| {
            let (first, second) = ids.split_at(ids.len() / 2);
            [first.to_vec(), second.to_vec()].into_iter().filter(|half| !half.is_empty())
        });
        match self.fault {
            Fault::Heads(width)
                if self.wrong.contains(&strategy) && network.config.head_dim == width =>
            {
                network.rows(&halves.collect::<Vec<_>>(), device, dtype, PlainUnits)
            }
            _ => network.rows(&network.sequences, device, dtype, PlainUnits),
        }
    }
}

/// Vulkan with kernels in SPIR-V, and in WGSL, as far as they are here.
fn gpus() -> Vec<Opened> {
    let gpus = [GpuApi::Vulkan, GpuApi::Metal, GpuApi::Wgpu].into_iter();
    let opened = gpus.map(|api| Opened::open(DeviceId::Gpu { api, index: 0 }));
    let is_here = |opened: Result<Opened, Error>| match opened {
        Ok(gpu) => Some(gpu),
        Err(error) => {
            eprintln!("skipped: {error}");
            None
        }
    };
    opened.filter_map(is_here).collect()
}

/// What shows a fault: a driver compiles every shape, so it is not everything.
fn known(fault: Fault) -> &'static Known {
    static PRODUCTS: Known = Known { networks: vec![] };
    static NETWORKS: LazyLock<Known> = LazyLock::new(|| {
        let of_heads = |width| {
            with_rows(Generated::of_heads(width).unwrap(), &reference_device().unwrap()).unwrap()
        };
        Known { networks: [64, 128].map(of_heads).into() }
    });
    match fault {
        Fault::Heads(_) => &NETWORKS,
        _ => &PRODUCTS,
    }
}

/// What the check says of every GPU here with this fault.
fn checks(
    fault: Fault,
    dtype: Dtype,
    wrong: &'static [MatmulStrategy],
) -> impl Iterator<Item = SelfCheck> {
    gpus().into_iter().map(move |device| {
        let faulty = Faulty { device: OnDevice { device: &device, dtype }, fault, wrong };
        let check = check(&faulty, known(fault)).unwrap();
        println!("{} {fault:?}: {check:?}", device.id);
        check
    })
}

/// The fault of tensor cores is found, and plain units are trusted after them.
fn assert_found(fault: Fault, dtype: Dtype, expected: &str) {
    for check in checks(fault, dtype, &[TensorCores]) {
        assert_eq!(check.verdict().unwrap().strategy, PlainUnits);
        let [passed_over] = &check.passed_over[..] else { panic!("one: {check:?}") };
        assert_eq!(passed_over.strategy, TensorCores);
        assert!(passed_over.reason.contains(expected), "{}", passed_over.reason);
    }
}

#[test]
fn products_near_zero_from_row_500_on_are_found() {
    for dtype in [Dtype::F32, Dtype::F16] {
        assert_found(Fault::Rows, dtype, "numbers, first in row 500, column 0: ");
    }
}

#[test]
fn a_last_stage_that_is_left_out_is_found() {
    assert_found(Fault::LastStage, Dtype::F16, "1 × 544 × 384 is wrong in");
}

#[test]
fn a_second_tile_of_columns_that_is_wrong_is_found() {
    assert_found(Fault::Columns, Dtype::F32, "first in row 0, column 12");
}

#[test]
fn a_dtype_that_is_wrong_says_nothing_of_another() {
    for check in checks(Fault::Columns, Dtype::F16, &[TensorCores, PlainUnits]) {
        assert!(check.verdict().unwrap_err().starts_with("it computes wrong in f16: "));
    }
    for check in checks(Fault::Columns, Dtype::F32, &[]) {
        assert_eq!(check.verdict().unwrap().strategy, TensorCores);
    }
}

#[test]
fn wrong_attention_of_one_head_width_is_found() {
    assert_found(Fault::Heads(64), Dtype::F32, "heads of 64 (cosine ");
    assert_found(Fault::Heads(128), Dtype::F32, "heads of 128 (cosine ");
}

#[test]
fn a_panic_is_a_reason_too() {
    assert_found(Fault::Panic, Dtype::F32, "failed: of the library");
}

#[test]
fn a_strategy_that_the_device_lacks_is_a_reason_too() {
    for device in gpus() {
        if device.matmul_strategies(Dtype::F16).unwrap().contains(&TensorCores) {
            eprintln!("skipped: `{}` has tensor cores", device.id);
            continue;
        }
        let on_device = OnDevice { device: &device, dtype: Dtype::F16 };
        let reason = worst_cosine(&on_device, TensorCores, known(Fault::Rows)).unwrap_err();
        assert!(reason.contains("its tensor cores don't take a product: "), "{reason}");
    }
}

#[test]
fn auto_passes_over_a_gpu_that_is_wrong_in_every_way() {
    let described = |id| Device {
        id,
        name: "faulty".to_owned(),
        kind: DeviceKind::DiscreteGpu,
        driver: None,
        memory_bytes: None,
        dtypes: vec![],
        max_tensor_bytes: u64::MAX,
    };
    for gpu in gpus() {
        let verdict = |device: &Device| {
            assert_eq!(device.id, gpu.id);
            let wrong = &[TensorCores, PlainUnits];
            let device = OnDevice { device: &gpu, dtype: Dtype::F16 };
            let faulty = Faulty { device, fault: Fault::Rows, wrong };
            let verdict = check(&faulty, known(Fault::Rows))?.verdict();
            verdict.map(drop).map_err(|reason| Error::DeviceUnavailable { device: gpu.id, reason })
        };
        let found = vec![described(gpu.id), described(DeviceId::Cpu)];
        let devices = Devices { found, absent: vec![] };
        let (chosen, passed_over) = first_trusted(devices, &verdict).unwrap();
        assert_eq!(chosen, DeviceId::Cpu);
        let [passed_over] = &passed_over[..] else { panic!("one: {passed_over:?}") };
        assert_eq!((passed_over.device, passed_over.strategy), (gpu.id, None));
        let reason = &passed_over.reason;
        for expected in
            ["wrong in f16: with tensor cores, a product", "with plain units, a product"]
        {
            assert!(reason.contains(expected), "{reason}");
        }
    }
}

#[test]
fn a_wrong_vector_or_none_is_not_trusted() {
    let network = Generated::of_heads(64).unwrap();
    let (network, right) = with_rows(network, &reference_device().unwrap()).unwrap();
    assert!(network.worst_cosine(&right, &right) > 1.0 - 1e-12);
    let mut other = right.clone();
    other[5] = f32::NAN;
    assert!(network.worst_cosine(&right, &other).is_nan());
    assert!(network.worst_cosine(&right, &right[..160]).is_nan());
}

#[test]
fn a_table_in_blocks_gives_the_same_vectors() {
    let network = Generated::of_heads(64).unwrap();
    let config = &network.config;
    let row_bytes = config.hidden_size as u64 * 4;
    let ids: Vec<u32> = (0..config.vocab_size as u32).collect();
    let batch = PackedBatch::new(&[ids], config).unwrap();
    for device in devices().found {
        let opened = Opened::open(device.id).unwrap();
        // One block; 200 + 56 rows; blocks of 1 row.
        let [whole, two, many] = [u64::MAX, 200 * row_bytes + 3, row_bytes].map(|bytes| {
            let storage = Storage::all(Dtype::F32, bytes, PlainUnits);
            let loaded = network.load(&opened, storage).unwrap();
            loaded.forward(&batch, Rows::Last, &|| false).unwrap()
        });
        assert_eq!(whole, two, "{}", device.id);
        assert_eq!(whole, many, "{}", device.id);
    }
}
