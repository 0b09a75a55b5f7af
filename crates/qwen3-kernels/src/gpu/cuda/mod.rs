//! Kernels in CUDA C++, for what CubeCL's own language has no words for or not fast enough: the
//! tensor cores of NVIDIA GPUs. CubeCL compiles, keeps and launches them beside its own.

use burn_cubecl::CubeRuntime;
use cubecl::client::ComputeClient;
use cubecl::compute::KernelBuilder;
use cubecl::ir::{ElemType, FloatKind, StorageType};
use cubecl::prelude::*;
use cubecl::server::{
    Binding, ExecutionMode, KernelArguments, MetadataBindingInfo, TensorMapBinding,
};
use cubecl::{CompilationError, Compiler, CubeTask, KernelSettings};
use std::any::type_name;
use std::fmt::Debug;
use std::hash::Hash;

/// What all of them begin with.
pub(crate) const COMMON: &str = include_str!("common.cu");
/// What a kernel is called in its source.
pub(crate) const ENTRY: &str = "entry";

/// NVIDIA's GPUs, by how their tensor cores are used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Generation {
    /// Compute capability 8.0 and later: a warp multiplies tiles from registers (`mma.sync`).
    Ampere,
    /// Compute capability 9.0: four warps multiply tiles from shared memory (`wgmma`).
    Hopper,
}

/// The GPU's generation, if it is NVIDIA's, reached through CUDA, and of one of them.
pub(crate) fn generation<R: CubeRuntime>(client: &ComputeClient<R>) -> Option<Generation> {
    let features = &client.properties().features;
    if R::name(client) != "cuda" || !features.copy_async {
        return None;
    }
    // CubeCL doesn't tell the number. Four bits came after Hopper, which had the first tensor maps.
    let four_bits: StorageType = ElemType::Float(FloatKind::E2M1).into();
    let is_hopper = !features.tma.is_empty() && !features.supports_type(four_bits);
    Some(if is_hopper { Generation::Hopper } else { Generation::Ampere })
}

/// A kernel of one block of threads after the other.
pub(crate) trait Source: Clone + Debug + Eq + Hash + Send + Sync + 'static {
    /// The whole of it; the kernel is called [`ENTRY`]. Its parameters are those of [`launch`].
    fn code(&self) -> String;

    /// Threads of a block.
    fn threads(&self) -> u32;

    /// Shared memory of a block.
    fn shared_bytes(&self) -> usize;
}

/// What a kernel is given, in the order of its parameters: tensor maps, the memory of each of
/// them, other memory, and words that are passed by value.
#[derive(Default)]
pub(crate) struct Arguments {
    pub maps: Vec<TensorMapBinding>,
    pub buffers: Vec<Binding>,
    pub words: Vec<u32>,
}

/// Runs so many `blocks` of a kernel.
pub(crate) fn launch<R: CubeRuntime>(
    client: &ComputeClient<R>,
    source: impl Source,
    blocks: usize,
    Arguments { maps, buffers, words }: Arguments,
) {
    let pairs = words
        .chunks(2)
        .map(|pair| u64::from(pair[0]) | u64::from(pair.get(1).copied().unwrap_or_default()) << 32);
    let words: Vec<u64> = pairs.collect();
    // Nothing of them is of a length that is known only now, which would be copied apart.
    let info = MetadataBindingInfo { dynamic_metadata_offset: words.len(), data: words };
    let arguments =
        KernelArguments::new().with_tensor_maps(maps).with_buffers(buffers).with_info(info);
    client.launch(Box::new(Task(source)), CubeCount::new_1d(blocks as u32), arguments);
}

/// A source as CubeCL takes kernels.
struct Task<S>(S);

impl<S: Source> Task<S> {
    fn cube_dim(&self) -> CubeDim {
        CubeDim::new_1d(self.0.threads())
    }
}

impl<S: Source> KernelMetadata for Task<S> {
    fn id(&self) -> KernelId {
        KernelId::new::<Self>().info(self.0.clone()).cube_dim(self.cube_dim())
    }

    fn address_type(&self) -> StorageType {
        u32::as_type_native_unchecked().storage_type()
    }
}

impl<S: Source, C: Compiler> CubeTask<C> for Task<S> {
    fn compile(
        &self,
        compiler: &mut C,
        options: &C::CompilationOptions,
        mode: ExecutionMode,
        address_type: StorageType,
    ) -> Result<CompiledKernel<C>, CompilationError> {
        // CubeCL asks its own form of a kernel how much shared memory it takes: this one has no
        // other purpose.
        let mut builder = KernelBuilder::default();
        let settings = KernelSettings::default().cube_dim(self.cube_dim()).kernel_name(ENTRY);
        settings.address_type.register(&mut builder.scope);
        declare_shared::expand(&mut builder.scope, self.0.shared_bytes().div_ceil(4));
        let declared = compiler.compile(builder.build(settings), options, mode, address_type)?;
        Ok(CompiledKernel {
            entrypoint_name: ENTRY.to_owned(),
            debug_name: Some(type_name::<S>()),
            source: self.0.code(),
            repr: Some(declared),
            cube_dim: self.cube_dim(),
            debug_info: None,
        })
    }
}

#[cube]
fn declare_shared(#[comptime] words: usize) {
    let mut shared = SharedMemory::<u32>::new(words);
    shared[0] = 0;
}

/// `#define` lines.
pub(crate) fn defines(pairs: &[(&str, usize)]) -> String {
    pairs.iter().map(|(name, value)| format!("#define {name} {value}\n")).collect()
}
