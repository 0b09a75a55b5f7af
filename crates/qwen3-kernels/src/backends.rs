//! Which body each backend uses for each operation: the one table of the crate.
//!
//! | backend | `linear` | `rms_norm` | `rotary_embedding` | `swiglu` | `varlen_attention` |
//! |---|---|---|---|---|---|
//! | Flex (`cpu`) | own | own | own | own | own |
//! | NdArray | reference | reference | reference | reference | reference |
//! | CubeCL (wgpu, CUDA) | own | reference | reference | reference | reference |

#[cfg(feature = "ndarray")]
impl crate::Kernels for burn_ndarray::NdArray<f32, i32, i8> {}

#[cfg(feature = "cpu")]
mod cpu {
    use crate::{
        Kernels, SharedPrefix, VarlenLayout, linear, rms_norm, rotary_embedding, swiglu,
        varlen_attention,
    };
    use burn::tensor::Tensor;
    use burn_flex::Flex;

    impl Kernels for Flex {
        fn linear(
            x: Tensor<Self, 2>,
            weight: Tensor<Self, 2>,
            bias: Option<Tensor<Self, 1>>,
        ) -> Tensor<Self, 2> {
            linear::cpu::linear(x, weight, bias)
        }

        fn rms_norm(x: Tensor<Self, 2>, weight: Tensor<Self, 1>, epsilon: f64) -> Tensor<Self, 2> {
            rms_norm::cpu::rms_norm(x, weight, epsilon)
        }

        fn rotary_embedding(
            x: Tensor<Self, 3>,
            cos: Tensor<Self, 2>,
            sin: Tensor<Self, 2>,
        ) -> Tensor<Self, 3> {
            rotary_embedding::cpu::rotary_embedding(x, cos, sin)
        }

        fn swiglu(gate: Tensor<Self, 2>, up: Tensor<Self, 2>) -> Tensor<Self, 2> {
            swiglu::cpu::swiglu(gate, up)
        }

        fn varlen_attention(
            q: Tensor<Self, 3>,
            k: Tensor<Self, 3>,
            v: Tensor<Self, 3>,
            layout: &VarlenLayout,
            prefix: Option<&SharedPrefix<Self>>,
            scale: f64,
        ) -> Tensor<Self, 3> {
            varlen_attention::cpu::varlen_attention(q, k, v, layout, prefix, scale)
        }
    }
}

#[cfg(feature = "cube")]
mod cube {
    use crate::{Kernels, linear};
    use burn::tensor::Tensor;
    use burn_cubecl::{BoolElement, CubeBackend, CubeRuntime, FloatElement, IntElement};

    impl<R, F, I, BT> Kernels for CubeBackend<R, F, I, BT>
    where
        R: CubeRuntime,
        F: FloatElement,
        I: IntElement,
        BT: BoolElement,
    {
        fn linear(
            x: Tensor<Self, 2>,
            weight: Tensor<Self, 2>,
            bias: Option<Tensor<Self, 1>>,
        ) -> Tensor<Self, 2> {
            linear::cube::linear(x, weight, bias)
        }
    }
}
