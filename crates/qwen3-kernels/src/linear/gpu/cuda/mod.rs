//! Products with the tensor cores of NVIDIA GPUs, one launch for all weights of an input, with what
//! follows a product done before its sums leave the registers.

mod product;

use crate::gpu::cuda::{Arguments, Generation, generation, launch};
use crate::gpu::{empty, rows_and_columns};
use burn::tensor::DType;
use burn_cubecl::CubeRuntime;
use burn_cubecl::tensor::CubeTensor;
use cubecl::client::ComputeClient;
use cubecl::prelude::*;
use cubecl::server::{Binding, TensorMapBinding, TensorMapMeta};
use cubecl::zspace::metadata::Metadata;
use cubecl::zspace::{Shape, Strides};
use product::{Epilogue, Kernel, Product, WGMMA_STEP};

/// 16 bytes: what is copied at a time.
const CHUNK: usize = 8;

/// Whether weights of this shape can be multiplied so.
pub(crate) fn takes<R: CubeRuntime>(weights: &[&CubeTensor<R>]) -> bool {
    weights.len() <= 3
        && weights.iter().all(|weight| {
            let [outputs, inputs] = rows_and_columns(weight);
            inputs.is_multiple_of(CHUNK) && outputs.is_multiple_of(CHUNK)
        })
}

/// What is multiplied.
struct Factors<'a, R: CubeRuntime> {
    x: &'a CubeTensor<R>,
    weights: &'a [CubeTensor<R>],
}

/// `x · weightᵀ` of each weight, in float32; rows are multiplied with `rms`, if there is one.
pub(crate) fn products<R: CubeRuntime, const N: usize>(
    x: &CubeTensor<R>,
    weights: [CubeTensor<R>; N],
    rms: Option<&CubeTensor<R>>,
) -> [CubeTensor<R>; N] {
    let rows = rows_and_columns(x)[0];
    let outputs =
        weights.each_ref().map(|weight| empty(x, [rows, rows_and_columns(weight)[0]], DType::F32));
    run(Epilogue::Store, &Factors { x, weights: &weights }, &outputs.each_ref(), rms);
    outputs
}

/// `residual + x · weightᵀ`, the product's rows multiplied with `rms`, if there is one.
pub(crate) fn add_product<R: CubeRuntime>(
    residual: &CubeTensor<R>,
    x: &CubeTensor<R>,
    weight: CubeTensor<R>,
    rms: Option<&CubeTensor<R>>,
) -> CubeTensor<R> {
    let shape = [rows_and_columns(x)[0], rows_and_columns(&weight)[0]];
    assert_eq!(rows_and_columns(residual), shape, "linear_add: the sum's shape");
    let y = empty(x, shape, DType::F32);
    run(Epilogue::Add, &Factors { x, weights: &[weight] }, &[residual, &y], rms);
    y
}

/// `silu(x · gateᵀ) · (x · upᵀ)`, rounded to the dtype of `x`.
pub(crate) fn swiglu<R: CubeRuntime>(
    x: &CubeTensor<R>,
    gate_and_up: [CubeTensor<R>; 2],
) -> CubeTensor<R> {
    let hidden = empty(x, [rows_and_columns(x)[0], rows_and_columns(&gate_and_up[0])[0]], x.dtype);
    run(Epilogue::SwiGlu, &Factors { x, weights: &gate_and_up }, &[&hidden], None);
    hidden
}

/// Launches a product; `others` are what the epilogue reads and writes, in the order of
/// `epilogue.cu`.
fn run<R: CubeRuntime>(
    epilogue: Epilogue,
    factors: &Factors<R>,
    others: &[&CubeTensor<R>],
    rms: Option<&CubeTensor<R>>,
) {
    let Factors { x, weights } = *factors;
    let [rows, inputs] = rows_and_columns(x);
    if rows == 0 {
        return;
    }
    let written = if epilogue == Epilogue::SwiGlu { &weights[..1] } else { weights };
    let columns: Vec<usize> = written.iter().map(|weight| rows_and_columns(weight)[0]).collect();
    let product = |kernel| Product {
        kernel,
        is_float16: x.dtype == DType::F16,
        epilogue,
        weights: weights.len(),
        is_scaled: rms.is_some(),
    };
    let count = |kernel| product(kernel).tiles(rows, &columns).0;
    let product = product(kernel(&x.client, [rows, columns.iter().sum()], count));
    let (tiles, column_tiles) = product.tiles(rows, &columns);

    let mut arguments = factors.arguments(&product);
    arguments.buffers.extend(others.iter().copied().chain(rms).map(binding));
    let three = |numbers: &[usize]| [0, 1, 2].map(|i| numbers.get(i).copied().unwrap_or(0) as u32);
    arguments.words = [rows as u32, inputs as u32].into();
    arguments.words.extend(three(&columns));
    arguments.words.extend(three(&column_tiles));
    // Blocks of `wgmma.cu` stay: there is room for one on each multiprocessor.
    let blocks = if product.is_wgmma() { tiles.min(multiprocessors(&x.client)) } else { tiles };
    launch(&x.client, product, blocks, arguments);
}

fn binding<R: CubeRuntime>(tensor: &CubeTensor<R>) -> Binding {
    tensor.handle.clone().binding()
}

impl<R: CubeRuntime> Factors<'_, R> {
    /// What a kernel is given of them.
    fn arguments(&self, product: &Product) -> Arguments {
        let all = std::iter::once(self.x).chain(self.weights);
        if !product.is_wgmma() {
            return Arguments { buffers: all.map(binding).collect(), ..Default::default() };
        }
        let tile_rows = |index| if index == 0 { product.rows() } else { product.weight_rows() / 2 };
        let maps = all.enumerate().map(|(index, factor)| map(factor, tile_rows(index)));
        Arguments { maps: maps.collect(), ..Default::default() }
    }
}

fn multiprocessors<R: CubeRuntime>(client: &ComputeClient<R>) -> usize {
    client.properties().hardware.num_streaming_multiprocessors.unwrap_or(1) as usize
}

/// The kernel for a product with so many rows and columns in all; `tiles` counts a kernel's tiles.
fn kernel<R: CubeRuntime>(
    client: &ComputeClient<R>,
    [rows, columns]: [usize; 2],
    tiles: impl Fn(Kernel) -> usize,
) -> Kernel {
    // With fewer tiles than this, too many multiprocessors have nothing to do.
    let enough = multiprocessors(client) * 2 / 3;
    let is_hopper = generation(client) == Some(Generation::Hopper);
    match rows {
        0..=16 => Kernel::Narrow,
        17..=128 if columns <= 2560 => Kernel::Narrow,
        17..=64 => Kernel::Small,
        _ if is_hopper && tiles(Kernel::Wide) >= enough => Kernel::Wide,
        _ if is_hopper => Kernel::Deep,
        _ if tiles(Kernel::Large) >= enough => Kernel::Large,
        _ => Kernel::Middle,
    }
}

/// Rows for the copy engine, which brings tiles of so many of them.
fn map<R: CubeRuntime>(tensor: &CubeTensor<R>, tile_rows: usize) -> TensorMapBinding {
    let [rows, columns] = rows_and_columns(tensor);
    let tile_size = Shape::new([tile_rows, WGMMA_STEP]);
    TensorMapBinding {
        binding: binding(tensor),
        map: TensorMapMeta {
            format: TensorMapFormat::Tiled(TiledArgs { tile_size }),
            metadata: Metadata::new(Shape::new([rows, columns]), Strides::new(&[columns, 1])),
            elem_stride: Strides::new(&[1, 1]),
            interleave: TensorMapInterleave::None,
            swizzle: TensorMapSwizzle::B128,
            prefetch: TensorMapPrefetch::B128,
            oob_fill: OobFill::Zero,
            storage_ty: tensor.dtype.into(),
        },
    }
}
