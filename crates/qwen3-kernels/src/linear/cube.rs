//! The linear layer on CubeCL backends: half-precision inputs, float32 output.

use super::reference;
use burn::tensor::{DType, Tensor, TensorPrimitive};
use burn_cubecl::kernel::matmul::{MatmulStrategy, matmul};
use burn_cubecl::{BoolElement, CubeBackend, CubeRuntime, FloatElement, IntElement};

/// See [`crate::linear()`].
///
/// Burn's own product returns the weight's dtype; asked for float32 it keeps
/// what the accumulator holds. The kernel is chosen by shape and device, not
/// by timing several of them: the same batch gives the same numbers in every
/// process, and the first call takes a second instead of half a minute.
pub(crate) fn linear<R, F, I, BT>(
    x: Tensor<CubeBackend<R, F, I, BT>, 2>,
    weight: Tensor<CubeBackend<R, F, I, BT>, 2>,
) -> Tensor<CubeBackend<R, F, I, BT>, 2>
where
    R: CubeRuntime,
    F: FloatElement,
    I: IntElement,
    BT: BoolElement,
{
    let dtype = weight.dtype();
    let (x, factor) = match dtype {
        // Only the way in can overflow: outputs are float32.
        DType::F16 => {
            let (x, rms) = reference::unit_rms_rows(x);
            (x, Some(rms))
        }
        _ => (x, None),
    };
    let lhs = x.cast(dtype).into_primitive().tensor();
    let rhs = weight.transpose().into_primitive().tensor();
    let y = matmul(lhs, rhs, None, MatmulStrategy::Cube, DType::F32)
        .expect("a float32 result of two tensors of one dtype is supported by every matmul kernel");
    let y = Tensor::from_primitive(TensorPrimitive::Float(y));
    match factor {
        Some(rms) => y * rms,
        None => y,
    }
}
