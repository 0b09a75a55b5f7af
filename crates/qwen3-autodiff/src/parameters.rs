//! What is trained: float32 numbers with the optimiser's means of their gradients.

use crate::error::Error;
use crate::trainer::NamedTensor;
use burn::tensor::Tensor;
use burn::tensor::backend::{AutodiffBackend, Backend};
use burn_autodiff::Autodiff;
use qwen3_kernels::{AdamW, Gradients, Moments};

/// A trained tensor, as one row of numbers.
#[derive(Debug)]
pub(crate) struct Parameter<B: Backend> {
    /// The checkpoint's name of it, or the adapter's.
    pub name: String,
    pub shape: Vec<usize>,
    pub value: Tensor<B, 1>,
    pub moments: Moments<B>,
}

impl<B: Gradients> Parameter<B> {
    pub fn new(name: String, shape: Vec<usize>, value: Tensor<B, 1>) -> Self {
        let [first, second] = [value.zeros_like(), value.zeros_like()];
        Self { name, shape, value, moments: Moments { first, second } }
    }

    /// These numbers of it, on the host.
    pub fn named(&self, which: &str, values: &Tensor<B, 1>) -> NamedTensor {
        let name = format!("{which}{}", self.name);
        NamedTensor { name, shape: self.shape.clone(), values: values.clone().into_values() }
    }

    /// One step of the optimiser. Norms and biases don't decay.
    fn update(&mut self, gradient: Tensor<B, 1>, step: AdamW) {
        let weight_decay = if self.shape.len() > 1 { step.weight_decay } else { 0.0 };
        let step = AdamW { weight_decay, ..step };
        let empty = || Tensor::empty([0], &gradient.device());
        // Taken out, so that the backend may write in their own memory.
        let value = std::mem::replace(&mut self.value, empty());
        let (first, second) = (&mut self.moments.first, &mut self.moments.second);
        let moments = Moments {
            first: std::mem::replace(first, empty()),
            second: std::mem::replace(second, empty()),
        };
        (self.value, self.moments) = B::adamw(value, gradient, moments, step);
    }
}

/// Parameters as leaves of one graph, each made when it is asked for.
pub(crate) struct Leaves<B: Backend> {
    leaves: Vec<Option<Tensor<Autodiff<B>, 1>>>,
}

impl<B: Backend> Leaves<B> {
    pub fn new(parameters: &[Parameter<B>]) -> Self {
        Self { leaves: parameters.iter().map(|_| None).collect() }
    }

    pub fn leaf(&mut self, index: usize, parameter: &Parameter<B>) -> Tensor<Autodiff<B>, 1> {
        let leaf = || Tensor::from_inner(parameter.value.clone()).require_grad();
        self.leaves[index].get_or_insert_with(leaf).clone()
    }
}

/// The gradient of each parameter, summed over passes.
pub(crate) struct Sums<B: Backend>(Vec<Option<Tensor<B, 1>>>);

impl<B: Gradients> Sums<B> {
    pub fn new(parameters: &[Parameter<B>]) -> Self {
        Self(parameters.iter().map(|_| None).collect())
    }

    /// Goes backward from `loss`, and adds what each leaf has got.
    pub fn backward(&mut self, loss: Tensor<Autodiff<B>, 1>, leaves: Leaves<B>) {
        self.add(&mut loss.backward(), leaves);
    }

    /// The same; returns the gradient of `of`, which `loss` depends on.
    pub fn backward_to(
        &mut self,
        loss: Tensor<Autodiff<B>, 1>,
        leaves: Leaves<B>,
        of: &Tensor<Autodiff<B>, 2>,
    ) -> Tensor<B, 2> {
        let mut gradients = loss.backward();
        let of = of.grad_remove(&mut gradients).expect("the loss depends on it");
        self.add(&mut gradients, leaves);
        of
    }

    fn add(
        &mut self,
        gradients: &mut <Autodiff<B> as AutodiffBackend>::Gradients,
        leaves: Leaves<B>,
    ) {
        for (sum, leaf) in self.0.iter_mut().zip(leaves.leaves) {
            let Some(gradient) = leaf.and_then(|leaf| leaf.grad_remove(gradients)) else {
                continue;
            };
            *sum = Some(match sum.take() {
                Some(sum) => sum + gradient,
                None => gradient,
            });
        }
    }

    /// The norm of all gradients as one vector.
    ///
    /// # Errors
    /// If it is no number.
    pub fn norm(&self) -> Result<f64, Error> {
        let squares = self
            .0
            .iter()
            .flatten()
            .map(|gradient| f64::from(gradient.clone().powi_scalar(2).sum().into_scalar_f32()));
        let norm = squares.sum::<f64>().sqrt();
        match norm.is_finite() {
            true => Ok(norm),
            false => Err(Error::Diverged { what: "gradient's norm", value: norm }),
        }
    }

    /// One step of the optimiser.
    pub fn apply(self, parameters: &mut [Parameter<B>], step: AdamW) {
        for (parameter, gradient) in parameters.iter_mut().zip(self.0) {
            if let Some(gradient) = gradient {
                parameter.update(gradient, step);
            }
        }
    }

    /// By the parameters' names.
    pub fn named(self, parameters: &[Parameter<B>]) -> Vec<NamedTensor> {
        let with_gradient = parameters.iter().zip(self.0);
        let with_gradient =
            with_gradient.filter_map(|(parameter, gradient)| Some(parameter.named("", &gradient?)));
        with_gradient.collect()
    }
}

/// Reading numbers of float32 tensors.
pub(crate) trait ToHost {
    fn into_values(self) -> Vec<f32>;
}

impl<B: Backend, const D: usize> ToHost for Tensor<B, D> {
    fn into_values(self) -> Vec<f32> {
        self.into_data().into_vec().expect("what is trained is float32")
    }
}

/// Reading one number.
pub(crate) trait IntoScalar {
    fn into_scalar_f32(self) -> f32;
}

impl<B: Backend> IntoScalar for Tensor<B, 1> {
    fn into_scalar_f32(self) -> f32 {
        self.into_values()[0]
    }
}
