//! The feed-forward network on Burn Flex: the gate is applied where its
//! products end, and what goes into `down` is rounded there too.

use crate::buffers::Buffer;
use crate::isa::Isa;
use crate::linear::cpu::{contiguous, dims, numbers};
use crate::linear::product::{Input, Numbers, Part, products};
use burn::tensor::{Tensor, TensorPrimitive};
use burn_flex::Flex;

/// See [`crate::swiglu_mlp()`].
pub(crate) fn swiglu_mlp(
    residual: Tensor<Flex, 2>,
    x: Tensor<Flex, 2>,
    gate: Tensor<Flex, 2>,
    up: Tensor<Flex, 2>,
    down: Tensor<Flex, 2>,
) -> Tensor<Flex, 2> {
    let isa = Isa::best();
    let (mut y, x) = (contiguous(residual), contiguous(x));
    let (gate, up, down) = (contiguous(gate), contiguous(up), contiguous(down));
    let [tokens, columns] = dims(&x);
    let [width, _] = dims(&gate);
    assert_eq!(dims(&gate), [width, columns], "swiglu_mlp: the gate takes what x has");
    assert_eq!(dims(&up), [width, columns], "swiglu_mlp: as many gates as values");
    assert_eq!(dims(&down), [columns, width], "swiglu_mlp: down undoes up");
    assert_eq!(dims(&y), [tokens, columns], "swiglu_mlp: a residual of the sum's shape");

    let rounds = numbers(&down).rounds_inputs(isa);
    let n = tokens * width;
    let mut hidden = Buffer::new(n * if rounds { 2 } else { 4 });
    let out = match rounds {
        true => Numbers::Bf16(hidden.numbers_mut(n)),
        false => Numbers::F32(hidden.numbers_mut(n)),
    };
    let gated = Part::swiglu(numbers(&gate), numbers(&up), width, out);
    products(isa, [tokens, columns], Input::F32(x.storage()), &[gated]);

    let hidden = match rounds {
        true => Input::Bf16(hidden.numbers(n)),
        false => Input::F32(hidden.numbers(n)),
    };
    let sum = Part::add(numbers(&down), columns, y.storage_mut());
    products(isa, [tokens, width], hidden, &[sum]);
    Tensor::from_primitive(TensorPrimitive::Float(y))
}
