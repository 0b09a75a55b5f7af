//! The feed-forward network on Burn Flex: the gate is applied where its
//! products end, and what goes into `down` is rounded there too.

use crate::cpu::buffers::Buffer;
use crate::cpu::gemm::{GatedOut, Input, Output, gemm, rounds_input, with_format};
use crate::cpu::isa::Isa;
use crate::linear::cpu::{contiguous, dims};
use burn::tensor::{Tensor, TensorPrimitive};
use burn_flex::Flex;

/// See [`crate::Kernels::swiglu_mlp`].
pub(crate) fn swiglu_mlp(
    residual: Tensor<Flex, 2>,
    x: Tensor<Flex, 2>,
    gate_up: [Tensor<Flex, 2>; 2],
    down: Tensor<Flex, 2>,
) -> Tensor<Flex, 2> {
    let isa = Isa::best();
    let (mut y, x) = (contiguous(residual), contiguous(x));
    let ([gate, up], down) = (gate_up.map(contiguous), contiguous(down));
    let [tokens, columns] = dims(&x);
    let [width, _] = dims(&gate);
    assert_eq!(dims(&gate), [width, columns], "swiglu_mlp: the gate takes what x has");
    assert_eq!(dims(&up), [width, columns], "swiglu_mlp: as many gates as values");
    assert_eq!(up.dtype(), gate.dtype(), "swiglu_mlp: gates and values of one dtype");
    assert_eq!(dims(&down), [columns, width], "swiglu_mlp: down undoes up");
    assert_eq!(dims(&y), [tokens, columns], "swiglu_mlp: a residual of the sum's shape");

    let rounds = with_format!(down.dtype(), W => rounds_input::<W>(isa));
    let n = tokens * width;
    let mut hidden = Buffer::new(n * if rounds { 2 } else { 4 });
    let out = match rounds {
        true => GatedOut::Bf16(hidden.as_mut_slice(n)),
        false => GatedOut::F32(hidden.as_mut_slice(n)),
    };
    with_format!(gate.dtype(), W => {
        let gated = Output::<W>::swiglu([gate.storage(), up.storage()], width, out);
        gemm(isa, [tokens, columns], Input::F32(x.storage()), &[gated]);
    });

    let hidden = match rounds {
        true => Input::Bf16(hidden.as_slice(n)),
        false => Input::F32(hidden.as_slice(n)),
    };
    with_format!(down.dtype(), W => {
        let sum = Output::<W>::add(down.storage(), columns, y.storage_mut());
        gemm(isa, [tokens, width], hidden, &[sum]);
    });
    Tensor::from_primitive(TensorPrimitive::Float(y))
}
