//! The tensors that a pass computes with: trained ones rounded, adapters added.

use crate::model::{Model, Role};
use crate::parameters::{Leaves, Parameter};
use burn::tensor::{Tensor, backend::Backend};
use burn_autodiff::Autodiff;
use qwen3::Tensors;
use qwen3::dtype::burn_dtype;
use qwen3_kernels::{Gradients, Kernels, Weight};

/// How tensors go into a network of another backend.
pub(crate) trait Lift<B: Backend> {
    type Into: Kernels;
    fn constant<const D: usize>(&self, x: Tensor<B, D>) -> Tensor<Self::Into, D>;
    fn leaf(&mut self, index: usize, parameter: &Parameter<B>) -> Tensor<Self::Into, 1>;
}

/// Into the same backend.
pub(crate) struct Plain;

impl<B: Kernels> Lift<B> for Plain {
    type Into = B;

    fn constant<const D: usize>(&self, x: Tensor<B, D>) -> Tensor<B, D> {
        x
    }

    fn leaf(&mut self, _: usize, parameter: &Parameter<B>) -> Tensor<B, 1> {
        parameter.value.clone()
    }
}

/// Into its graph.
pub(crate) struct Tracked<'a, B: Backend>(pub &'a mut Leaves<B>);

impl<B: Gradients> Lift<B> for Tracked<'_, B> {
    type Into = Autodiff<B>;

    fn constant<const D: usize>(&self, x: Tensor<B, D>) -> Tensor<Autodiff<B>, D> {
        Tensor::from_inner(x)
    }

    fn leaf(&mut self, index: usize, parameter: &Parameter<B>) -> Tensor<Autodiff<B>, 1> {
        self.0.leaf(index, parameter)
    }
}

/// The tensors that a pass computes with.
pub(crate) struct Effective<'a, B: Backend, L> {
    pub model: &'a Model<B>,
    pub lift: L,
}

impl<B: Gradients, L: Lift<B>> Tensors<L::Into> for Effective<'_, B, L> {
    fn table(&mut self, name: &str, _: [usize; 2]) -> Result<Vec<Weight<L::Into>>, qwen3::Error> {
        Ok(match &self.model.roles[name] {
            Role::Matrix(parts) => {
                parts.iter().map(|part| self.lift.constant(part.clone()).into()).collect()
            }
            Role::Trained(index) => vec![self.model.trained_matrix(&mut self.lift, *index).into()],
            Role::Vector(_) | Role::Adapted { .. } => unreachable!("a table is a plain matrix"),
        })
    }

    fn matrix(&mut self, name: &str, _: [usize; 2]) -> Result<Weight<L::Into>, qwen3::Error> {
        let dtype = burn_dtype(self.model.plan.dtype);
        let matrix = match &self.model.roles[name] {
            Role::Matrix(parts) => self.lift.constant(parts[0].clone()),
            Role::Trained(index) => {
                L::Into::rounded(self.model.trained_matrix(&mut self.lift, *index), dtype)
            }
            Role::Adapted { base, a, b, scale } => {
                let whole = self.model.adapted(&mut self.lift, base, [*a, *b], *scale);
                L::Into::rounded(whole, dtype)
            }
            Role::Vector(_) => unreachable!("a linear layer has a matrix"),
        };
        Ok(matrix.into())
    }

    fn vector(&mut self, name: &str, _: usize) -> Result<Tensor<L::Into, 1>, qwen3::Error> {
        Ok(match &self.model.roles[name] {
            Role::Vector(vector) => self.lift.constant(vector.clone()),
            Role::Trained(index) => self.lift.leaf(*index, &self.model.parameters[*index]),
            Role::Matrix(_) | Role::Adapted { .. } => unreachable!("a norm has a vector"),
        })
    }
}
