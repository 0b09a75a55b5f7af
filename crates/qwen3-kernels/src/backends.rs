//! Which body each backend uses for each operation: the one table of the crate.
//!
//! | backend | `linear` and its kin | `rms_norm` | `rms_norm_rotary` | `swiglu_mlp` | `varlen_attention` |
//! |---|---|---|---|---|---|
//! | Flex (`cpu`) | own | own | own | own | own |
//! | NdArray | reference | reference | reference | reference | reference |
//! | CubeCL (wgpu, CUDA) | own | own | own | own | own, but for a shared prefix |

#[cfg(feature = "ndarray")]
impl crate::Kernels for burn_ndarray::NdArray<f32, i32, i8> {}

#[cfg(feature = "cpu")]
mod cpu {
    use crate::{
        Kernels, MatmulStrategy, SharedPrefix, VarlenLayout, buffers, linear, rms_norm,
        rms_norm_rotary, swiglu_mlp, varlen_attention,
    };
    use burn::tensor::{DType, Tensor};
    use burn_flex::Flex;

    impl Kernels for Flex {
        fn shrink_buffers(max_bytes: u64) {
            buffers::shrink(usize::try_from(max_bytes).unwrap_or(usize::MAX));
        }

        fn unused_buffer_bytes() -> u64 {
            buffers::unused_bytes() as u64
        }

        fn linear(
            x: Tensor<Self, 2>,
            weight: Tensor<Self, 2>,
            _: MatmulStrategy,
        ) -> Tensor<Self, 2> {
            let [y] = linear::cpu::linears(x, [weight]);
            y
        }

        fn linears<const N: usize>(
            x: Tensor<Self, 2>,
            weights: [Tensor<Self, 2>; N],
            _: MatmulStrategy,
        ) -> [Tensor<Self, 2>; N] {
            linear::cpu::linears(x, weights)
        }

        fn linear_add(
            residual: Tensor<Self, 2>,
            x: Tensor<Self, 2>,
            weight: Tensor<Self, 2>,
            _: MatmulStrategy,
        ) -> Tensor<Self, 2> {
            linear::cpu::linear_add(residual, x, weight)
        }

        fn rms_norm(x: Tensor<Self, 2>, weight: Tensor<Self, 1>, epsilon: f64) -> Tensor<Self, 2> {
            rms_norm::cpu::rms_norm(x, weight, epsilon)
        }

        fn rms_norm_rotary(
            x: Tensor<Self, 3>,
            weight: Tensor<Self, 1>,
            epsilon: f64,
            cos: Tensor<Self, 2>,
            sin: Tensor<Self, 2>,
        ) -> Tensor<Self, 3> {
            rms_norm_rotary::cpu::rms_norm_rotary(x, weight, epsilon, cos, sin)
        }

        fn swiglu_mlp(
            residual: Tensor<Self, 2>,
            x: Tensor<Self, 2>,
            gate: Tensor<Self, 2>,
            up: Tensor<Self, 2>,
            down: Tensor<Self, 2>,
            _: MatmulStrategy,
        ) -> Tensor<Self, 2> {
            swiglu_mlp::cpu::swiglu_mlp(residual, x, gate, up, down)
        }

        fn varlen_attention(
            q: Tensor<Self, 3>,
            k: Tensor<Self, 3>,
            v: Tensor<Self, 3>,
            layout: &VarlenLayout,
            prefix: Option<&SharedPrefix<Self>>,
            scale: f64,
            products: DType,
        ) -> Tensor<Self, 3> {
            varlen_attention::cpu::varlen_attention(q, k, v, layout, prefix, scale, products)
        }
    }
}

#[cfg(feature = "cube")]
mod cube {
    use crate::cube::{contiguous, tensor};
    use crate::linear::cube::Input;
    use crate::{
        Kernels, LaunchError, MatmulStrategy, SharedPrefix, VarlenLayout, linear, rms_norm,
        rms_norm_rotary, swiglu_mlp, varlen_attention,
    };
    use burn::tensor::{DType, Tensor};
    use burn_cubecl::{BoolElement, CubeBackend, CubeRuntime, FloatElement, IntElement};

    impl<R, F, I, BT> Kernels for CubeBackend<R, F, I, BT>
    where
        R: CubeRuntime,
        F: FloatElement,
        I: IntElement,
        BT: BoolElement,
    {
        fn matmul_strategies(device: &Self::Device, dtype: DType) -> Vec<MatmulStrategy> {
            linear::cube::strategies(&R::client(device), dtype)
        }

        fn linear_only_by(
            x: Tensor<Self, 2>,
            weight: Tensor<Self, 2>,
            strategy: MatmulStrategy,
        ) -> Result<Tensor<Self, 2>, LaunchError> {
            let (x, weight) = (contiguous(x), contiguous(weight));
            let input = Input::new(x, weight.dtype);
            let y = input.product_only_by(weight, strategy)?;
            Ok(tensor(input.times_rms(y)))
        }

        fn linear(
            x: Tensor<Self, 2>,
            weight: Tensor<Self, 2>,
            strategy: MatmulStrategy,
        ) -> Tensor<Self, 2> {
            let [y] = Self::linears(x, [weight], strategy);
            y
        }

        fn linears<const N: usize>(
            x: Tensor<Self, 2>,
            weights: [Tensor<Self, 2>; N],
            strategy: MatmulStrategy,
        ) -> [Tensor<Self, 2>; N] {
            linear::cube::linears(contiguous(x), weights.map(contiguous), strategy).map(tensor)
        }

        fn linear_add(
            residual: Tensor<Self, 2>,
            x: Tensor<Self, 2>,
            weight: Tensor<Self, 2>,
            strategy: MatmulStrategy,
        ) -> Tensor<Self, 2> {
            let (residual, x, weight) = (contiguous(residual), contiguous(x), contiguous(weight));
            let input = Input::new(x, weight.dtype);
            tensor(linear::cube::linear_add(residual, input, weight, strategy))
        }

        fn rms_norm(x: Tensor<Self, 2>, weight: Tensor<Self, 1>, epsilon: f64) -> Tensor<Self, 2> {
            tensor(rms_norm::cube::rms_norm(contiguous(x), contiguous(weight), epsilon))
        }

        fn rms_norm_rotary(
            x: Tensor<Self, 3>,
            weight: Tensor<Self, 1>,
            epsilon: f64,
            cos: Tensor<Self, 2>,
            sin: Tensor<Self, 2>,
        ) -> Tensor<Self, 3> {
            let (x, weight, angles) = (contiguous(x), contiguous(weight), [cos, sin]);
            let [cos, sin] = angles.map(contiguous);
            tensor(rms_norm_rotary::cube::rms_norm_rotary(x, weight, epsilon, cos, sin))
        }

        fn swiglu_mlp(
            residual: Tensor<Self, 2>,
            x: Tensor<Self, 2>,
            gate: Tensor<Self, 2>,
            up: Tensor<Self, 2>,
            down: Tensor<Self, 2>,
            strategy: MatmulStrategy,
        ) -> Tensor<Self, 2> {
            let [residual, x, gate, up, down] = [residual, x, gate, up, down].map(contiguous);
            tensor(swiglu_mlp::cube::swiglu_mlp(residual, x, gate, up, down, strategy))
        }

        fn varlen_attention(
            q: Tensor<Self, 3>,
            k: Tensor<Self, 3>,
            v: Tensor<Self, 3>,
            layout: &VarlenLayout,
            prefix: Option<&SharedPrefix<Self>>,
            scale: f64,
            products: DType,
        ) -> Tensor<Self, 3> {
            let _ = products;
            if prefix.is_some() {
                return varlen_attention::reference::varlen_attention(
                    q, k, v, layout, prefix, scale,
                );
            }
            let [q, k, v] = [q, k, v].map(contiguous);
            tensor(varlen_attention::cube::varlen_attention(q, k, v, layout, scale))
        }
    }
}
