//! Which body each backend uses for each operation: the one table of the crate.
//!
//! | backend | `embed_tokens` | `linears` and its kin | `rms_norm` | `rms_norm_rotary` | `swiglu_mlp` | `varlen_attention` |
//! |---|---|---|---|---|---|---|
//! | Flex (`cpu`) | reference | own | own | own | own | own |
//! | NdArray | reference | reference | reference | reference | reference | reference |
//! | CubeCL (wgpu, CUDA), in `gpu/backend.rs` | own for blocks | own | own | own | own | own |

#[cfg(feature = "ndarray")]
impl crate::Kernels for burn_ndarray::NdArray<f32, i32, i8> {}
#[cfg(all(feature = "ndarray", feature = "autodiff"))]
impl crate::Gradients for burn_ndarray::NdArray<f32, i32, i8> {}

#[cfg(feature = "cpu")]
mod cpu {
    use crate::cpu::buffers;
    use crate::{
        Kernels, MatmulStrategy, VarlenAttention, Weight, embed_tokens, linear, rms_norm,
        rms_norm_rotary, swiglu_mlp, varlen_attention,
    };
    use burn::tensor::{DType, Int, Tensor};
    use burn_flex::Flex;
    use qwen3_dtypes::Layout;

    #[cfg(feature = "autodiff")]
    mod gradients {
        use crate::{
            AdamW, Gradients, MatmulStrategy, Moments, VarlenAttention, adamw, linear, rms_norm,
            rms_norm_rotary, swiglu_mlp, varlen_attention,
        };
        use burn::tensor::{DType, Tensor};
        use burn_flex::Flex;

        impl Gradients for Flex {
            fn linear_input_gradient(
                output: Tensor<Self, 2>,
                weight: Tensor<Self, 2>,
                _: MatmulStrategy,
            ) -> Tensor<Self, 2> {
                linear::cpu_gradient::input(output, weight)
            }

            fn linear_weight_gradient(
                x: Tensor<Self, 2>,
                output: Tensor<Self, 2>,
                dtype: DType,
                _: MatmulStrategy,
            ) -> Tensor<Self, 2> {
                linear::cpu_gradient::weight(x, output, dtype)
            }

            fn rms_norm_gradient(
                x: Tensor<Self, 2>,
                weight: Tensor<Self, 1>,
                epsilon: f64,
                output: Tensor<Self, 2>,
            ) -> (Tensor<Self, 2>, Tensor<Self, 1>) {
                rms_norm::cpu_gradient::rms_norm(x, weight, epsilon, output)
            }

            fn rotary_gradient(
                output: Tensor<Self, 3>,
                cos: Tensor<Self, 2>,
                sin: Tensor<Self, 2>,
            ) -> Tensor<Self, 3> {
                rms_norm_rotary::cpu_gradient::rotary(output, cos, sin)
            }

            fn swiglu(gate: Tensor<Self, 2>, up: Tensor<Self, 2>) -> Tensor<Self, 2> {
                swiglu_mlp::cpu_gradient::swiglu(gate, up)
            }

            fn swiglu_gradient(
                gate: Tensor<Self, 2>,
                up: Tensor<Self, 2>,
                output: Tensor<Self, 2>,
            ) -> [Tensor<Self, 2>; 2] {
                swiglu_mlp::cpu_gradient::swiglu_gradient(gate, up, output)
            }

            fn varlen_attention_gradient(
                attention: VarlenAttention<Self>,
                output: Tensor<Self, 3>,
            ) -> [Tensor<Self, 3>; 3] {
                varlen_attention::cpu_gradient::varlen_attention(attention, output)
            }

            fn adamw(
                parameter: Tensor<Self, 1>,
                gradient: Tensor<Self, 1>,
                moments: Moments<Self>,
                step: AdamW,
            ) -> (Tensor<Self, 1>, Moments<Self>) {
                adamw::cpu::adamw(parameter, gradient, moments, step)
            }
        }
    }

    impl Kernels for Flex {
        fn shrink_buffers(_: &Self::Device, max_bytes: u64) {
            buffers::shrink(usize::try_from(max_bytes).unwrap_or(usize::MAX));
        }

        fn unused_buffer_bytes(_: &Self::Device) -> u64 {
            buffers::unused_bytes() as u64
        }

        fn layout() -> Layout {
            linear::cpu::layout()
        }

        fn rounded(x: Tensor<Self, 2>, dtype: DType) -> Tensor<Self, 2> {
            linear::cpu::rounded(x, dtype)
        }

        fn embed_tokens(table: Weight<Self>, ids: Tensor<Self, 1, Int>) -> Tensor<Self, 2> {
            embed_tokens::cpu::embed_tokens(table, ids)
        }

        fn linears<const N: usize>(
            x: Tensor<Self, 2>,
            weights: [Weight<Self>; N],
            _: MatmulStrategy,
        ) -> [Tensor<Self, 2>; N] {
            linear::cpu::linears(x, weights)
        }

        fn linear_add(
            residual: Tensor<Self, 2>,
            x: Tensor<Self, 2>,
            weight: Weight<Self>,
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
            gate: Weight<Self>,
            up: Weight<Self>,
            down: Weight<Self>,
            _: MatmulStrategy,
        ) -> Tensor<Self, 2> {
            swiglu_mlp::cpu::swiglu_mlp(residual, x, [gate, up], down)
        }

        fn varlen_attention(attention: VarlenAttention<Self>) -> Tensor<Self, 3> {
            varlen_attention::cpu::varlen_attention(attention)
        }
    }
}
