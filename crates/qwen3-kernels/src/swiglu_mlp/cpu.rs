//! The feed-forward network on Burn Flex: the gate is applied where its
//! products end, and what goes into `down` is rounded there too.

use super::reference;
use crate::MatmulStrategy::PlainUnits;
use crate::Weight;
use crate::cpu::buffers::Buffer;
use crate::cpu::gemm::{GatedOut, Input, Output, gemm, rounds_input, with_format};
use crate::cpu::isa::Isa;
use crate::linear::cpu::{Stored, contiguous, dims};
use burn::tensor::{Tensor, TensorPrimitive};
use burn_flex::Flex;

/// See [`crate::Kernels::swiglu_mlp`].
pub(crate) fn swiglu_mlp(
    residual: Tensor<Flex, 2>,
    x: Tensor<Flex, 2>,
    gate_up: [Weight<Flex>; 2],
    down: Weight<Flex>,
) -> Tensor<Flex, 2> {
    let isa = Isa::best();
    let [gate, up] = gate_up.each_ref().map(|weight| Stored::new(isa, weight.clone()));
    if gate.format != up.format {
        let [gate, up] = gate_up;
        return reference::swiglu_mlp(residual, x, gate, up, down, PlainUnits);
    }
    let (mut y, x, down) = (contiguous(residual), contiguous(x), Stored::new(isa, down));
    let ([tokens, columns], [width, _]) = (dims(&x), gate.dims);
    assert_eq!(gate.dims, [width, columns], "swiglu_mlp: the gate takes what x has");
    assert_eq!(up.dims, [width, columns], "swiglu_mlp: as many gates as values");
    assert_eq!(down.dims, [columns, width], "swiglu_mlp: down undoes up");
    assert_eq!(dims(&y), [tokens, columns], "swiglu_mlp: a residual of the sum's shape");

    let rounds = with_format!(down.format, W => rounds_input::<W>(isa));
    let n = tokens * width;
    let mut hidden = Buffer::new(n * if rounds { 2 } else { 4 });
    let out = match rounds {
        true => GatedOut::Bf16(hidden.as_mut_slice(n)),
        false => GatedOut::F32(hidden.as_mut_slice(n)),
    };
    with_format!(gate.format, W => {
        let gated = Output::<W>::swiglu([gate.source(), up.source()], width, out);
        gemm(isa, [tokens, columns], Input::F32(x.storage()), &[gated]);
    });

    let hidden = match rounds {
        true => Input::Bf16(hidden.as_slice(n)),
        false => Input::F32(hidden.as_slice(n)),
    };
    with_format!(down.format, W => {
        let sum = Output::<W>::add(down.source(), columns, y.storage_mut());
        gemm(isa, [tokens, width], hidden, &[sum]);
    });
    Tensor::from_primitive(TensorPrimitive::Float(y))
}
