//! Linear layers on CubeCL backends: half-precision inputs, float32 output. Weights in blocks
//! stay so in memory. Plain units widen them tile by tile to float32 (`blocks.rs`), and for
//! tensor cores one matrix at a time is widened to float16, for as long as its product takes.

mod blocks;
pub(crate) mod cuda;
pub(crate) mod rows;
mod tile;

use crate::gpu::blocks::{BlocksOnGpu, widen};
use crate::gpu::cuda::generation;
use crate::gpu::{empty, rounded, rows_and_columns};
use crate::linear::strategy::{LaunchError, MatmulStrategy};
use crate::rms_norm::gpu::{Norm, rms_norm, unit_rms_norm};
use burn::tensor::DType;
use burn_cubecl::CubeRuntime;
use burn_cubecl::ops::numeric::add;
use burn_cubecl::tensor::CubeTensor;
use cubecl::client::ComputeClient;
use cubecl::ir::StorageType;
use cubek::matmul::definition::{MatmulElems, MatmulGlobalElems};
use cubek::matmul::launch::{Strategy, launch_ref};
use cubek::std::InputBinding;
use rows::{add_times_rms, times_rms, unit_rms_rows};

/// See [`crate::Kernels::matmul_strategies`].
pub(crate) fn strategies<R: CubeRuntime>(
    client: &ComputeClient<R>,
    dtype: DType,
) -> Vec<MatmulStrategy> {
    let (factor, sum): (StorageType, StorageType) = (dtype.into(), DType::F32.into());
    let has_tiles = client
        .properties()
        .features
        .matmul
        .cmma
        .iter()
        .any(|tile| (tile.a_type, tile.b_type, tile.cd_type) == (factor, factor, sum));
    // With float32 they would round the factors to TF32.
    match has_tiles && dtype != DType::F32 {
        true if generation(client).is_some() => vec![
            MatmulStrategy::CudaTensorCores,
            MatmulStrategy::TensorCores,
            MatmulStrategy::PlainUnits,
        ],
        true => vec![MatmulStrategy::TensorCores, MatmulStrategy::PlainUnits],
        false => vec![MatmulStrategy::PlainUnits],
    }
}

/// Why [`cuda`] doesn't take a weight.
const NO_WHOLE_CHUNKS: &str = "its rows and columns must be multiples of 8";

/// A weight in the memory of a device, `[out, in]`.
#[derive(Clone)]
pub(crate) enum WeightOnGpu<R: CubeRuntime> {
    Float(CubeTensor<R>),
    Blocks(BlocksOnGpu<R>),
}

impl<R: CubeRuntime> WeightOnGpu<R> {
    fn float(&self) -> Option<&CubeTensor<R>> {
        match self {
            Self::Float(weight) => Some(weight),
            Self::Blocks(_) => None,
        }
    }

    /// In which dtype it is multiplied: of blocks tensor cores take float16, plain units float32.
    pub fn factor_dtype(&self, strategy: MatmulStrategy) -> DType {
        match (self, strategy) {
            (Self::Float(weight), _) => weight.dtype,
            (Self::Blocks(_), MatmulStrategy::PlainUnits) => DType::F32,
            (Self::Blocks(_), _) => DType::F16,
        }
    }
}

/// Rows `[T, in]` that linear layers take: float32, or what attention gives.
#[derive(Clone)]
pub(crate) struct Rows<R: CubeRuntime> {
    pub x: CubeTensor<R>,
    /// What they are normed with first.
    pub norm: Option<Norm<R>>,
}

impl<R: CubeRuntime> Rows<R> {
    /// As they are.
    pub fn plain(x: CubeTensor<R>) -> Self {
        Self { x, norm: None }
    }
}

/// What goes into a product: rows in the dtype of [`WeightOnGpu::factor_dtype`]. With float16
/// weights they are divided by their root mean square.
#[derive(Clone)]
pub(crate) struct Input<R: CubeRuntime> {
    pub x: CubeTensor<R>,
    /// What the product's rows must be multiplied with, `[T]`.
    pub rms: Option<CubeTensor<R>>,
}

impl<R: CubeRuntime> Input<R> {
    /// For weights of `dtype`.
    pub fn new(Rows { x, norm }: Rows<R>, dtype: DType) -> Self {
        // Only the way in can overflow float16: outputs are float32.
        let of_unit_rms = |(x, rms)| Self { x, rms: Some(rms) };
        match (norm, dtype) {
            (None, DType::F16) => of_unit_rms(unit_rms_rows(x)),
            (None, dtype) => Self::rounded(rounded(x, dtype)),
            (Some(norm), DType::F16) => of_unit_rms(unit_rms_norm(x, norm)),
            (Some(norm), dtype) => Self::rounded(rms_norm(x, norm, dtype)),
        }
    }

    /// Of rows in the dtype that is wanted.
    pub fn rounded(x: CubeTensor<R>) -> Self {
        Self { x, rms: None }
    }

    /// Of float16 rows that were divided by `rms`.
    pub fn of_unit_rms(x: CubeTensor<R>, rms: CubeTensor<R>) -> Self {
        Self { x, rms: Some(rms) }
    }

    /// `x · weightᵀ`, float32, not yet multiplied with [`Input::rms`]; by plain
    /// units if the device doesn't take this shape by `strategy`.
    pub fn product(&self, weight: WeightOnGpu<R>, strategy: MatmulStrategy) -> CubeTensor<R> {
        match weight {
            WeightOnGpu::Blocks(weight) if self.x.dtype == DType::F32 => {
                blocks::product(self.x.clone(), weight)
            }
            weight => {
                let weight = self.numbers(weight);
                self.product_of_numbers(weight.clone(), strategy)
                    .or_else(|_| self.product_of_numbers(weight, MatmulStrategy::PlainUnits))
                    .unwrap_or_else(|error| panic!("{error}"))
            }
        }
    }

    /// [`Input::product`] by this strategy and no other.
    pub fn product_only_by(
        &self,
        weight: WeightOnGpu<R>,
        strategy: MatmulStrategy,
    ) -> Result<CubeTensor<R>, LaunchError> {
        match weight {
            WeightOnGpu::Blocks(_) if self.x.dtype == DType::F32 => {
                Ok(self.product(weight, strategy))
            }
            weight => self.product_of_numbers(self.numbers(weight), strategy),
        }
    }

    /// A weight's numbers, for as long as a product takes where it is blocks.
    fn numbers(&self, weight: WeightOnGpu<R>) -> CubeTensor<R> {
        match weight {
            WeightOnGpu::Float(weight) => weight,
            WeightOnGpu::Blocks(blocks) => widen::widened(blocks, self.x.dtype),
        }
    }

    /// By this strategy and no other.
    ///
    /// Burn's own product returns the weight's dtype; this one keeps what the
    /// accumulator holds. The kernel is chosen by shape and device, not by timing
    /// several of them: the same batch gives the same numbers in every process,
    /// and the first call takes a second instead of half a minute.
    ///
    /// `Strategy::Auto` panics on every refusal but a missing instruction, so
    /// the kernel is named.
    fn product_of_numbers(
        &self,
        mut weight: CubeTensor<R>,
        strategy: MatmulStrategy,
    ) -> Result<CubeTensor<R>, LaunchError> {
        let ([rows, _], [outputs, _]) = (rows_and_columns(&self.x), rows_and_columns(&weight));
        if rows == 0 {
            return Ok(empty(&self.x, [0, outputs], DType::F32));
        }
        if strategy == MatmulStrategy::CudaTensorCores {
            return match cuda::takes(&[&weight]) {
                true => {
                    let [y] = cuda::products(&self.x, [weight], None);
                    Ok(y)
                }
                false => Err(LaunchError { strategy, message: NO_WHOLE_CHUNKS.to_owned() }),
            };
        }
        weight.meta.swap(0, 1);
        let y = empty(&self.x, [rows, outputs], DType::F32);
        let dtype = self.x.dtype;
        let kernel = match strategy {
            MatmulStrategy::PlainUnits => Strategy::SimpleUnit(Default::default()),
            _ => Strategy::SimpleCyclicCmma(Default::default()),
        };
        let globals =
            MatmulGlobalElems { lhs: dtype.into(), rhs: dtype.into(), out: DType::F32.into() };
        let binding = |tensor: CubeTensor<R>| InputBinding::new(tensor.binding(), dtype.into());
        launch_ref(
            &kernel,
            &y.client,
            binding(self.x.clone()),
            binding(weight),
            y.clone().binding(),
            &mut MatmulElems::from_globals(&globals),
        )
        .map_err(|error| {
            let message = error.to_string().split_whitespace().collect::<Vec<_>>().join(" ");
            LaunchError { strategy, message }
        })?;
        Ok(y)
    }

    /// What [`Input::product`] gave for some weights, multiplied with [`Input::rms`].
    pub fn times_rms<const N: usize>(&self, products: [CubeTensor<R>; N]) -> [CubeTensor<R>; N] {
        match &self.rms {
            Some(rms) => times_rms(products, rms),
            None => products,
        }
    }
}

/// The weights, if [`cuda`] computes products with all of them in one launch.
pub(crate) fn at_once<R: CubeRuntime, const N: usize>(
    weights: &[WeightOnGpu<R>; N],
    strategy: MatmulStrategy,
) -> Option<[CubeTensor<R>; N]> {
    let floats: Vec<&CubeTensor<R>> = weights.iter().filter_map(WeightOnGpu::float).collect();
    let is_taken = strategy == MatmulStrategy::CudaTensorCores
        && floats.len() == N
        && floats.iter().all(|weight| weight.dtype == floats[0].dtype)
        && cuda::takes(&floats);
    is_taken.then(|| std::array::from_fn(|index| floats[index].clone()))
}

/// See [`crate::Kernels::linears`]: rows are rounded once for all weights of a dtype.
pub(crate) fn linears<R: CubeRuntime, const N: usize>(
    rows: Rows<R>,
    weights: [WeightOnGpu<R>; N],
    strategy: MatmulStrategy,
) -> [CubeTensor<R>; N] {
    if let Some(weights) = at_once(&weights, strategy) {
        let input = Input::new(rows, weights[0].dtype);
        return cuda::products(&input.x, weights, input.rms.as_ref());
    }
    let dtypes = weights.each_ref().map(|weight| weight.factor_dtype(strategy));
    if dtypes.iter().all(|dtype| *dtype == dtypes[0]) {
        let input = Input::new(rows, dtypes[0]);
        let products = weights.map(|weight| input.product(weight, strategy));
        return input.times_rms(products);
    }
    weights.map(|weight| {
        let input = Input::new(rows.clone(), weight.factor_dtype(strategy));
        let [y] = input.times_rms([input.product(weight, strategy)]);
        y
    })
}

/// `residual + input · weightᵀ`
pub(crate) fn linear_add<R: CubeRuntime>(
    residual: CubeTensor<R>,
    input: Input<R>,
    weight: WeightOnGpu<R>,
    strategy: MatmulStrategy,
) -> CubeTensor<R> {
    if let Some([weight]) = at_once(std::array::from_ref(&weight), strategy) {
        return cuda::add_product(&residual, &input.x, weight, input.rms.as_ref());
    }
    let y = input.product(weight, strategy);
    match input.rms {
        Some(rms) => add_times_rms(residual, y, rms),
        None => add(residual, y),
    }
}
