//! What each tensor of the network is made of, and networks made of that.

use crate::effective::{Effective, Lift, Plain, Tracked};
use crate::error::Error;
use crate::parameters::{Leaves, Parameter};
use crate::plan::{Head, Plan};
use burn::tensor::{DType, Tensor, TensorData, backend::Backend};
use burn_autodiff::Autodiff;
use qwen3::head::YES_NO;
use qwen3::{Config, Qwen3};
use qwen3_kernels::Gradients;
use std::collections::BTreeMap;

/// The network's tensors, of which some are trained.
#[derive(Debug)]
pub(crate) struct Model<B: Backend> {
    pub config: Config,
    pub plan: Plan,
    pub parameters: Vec<Parameter<B>>,
    /// What each tensor of the network is, by its name.
    pub roles: BTreeMap<String, Role<B>>,
    pub head: Option<HeadRows<B>>,
}

#[derive(Debug)]
pub(crate) enum Role<B: Backend> {
    /// As it was loaded; a table perhaps in blocks.
    Matrix(Vec<Tensor<B, 2>>),
    Vector(Tensor<B, 1>),
    /// The parameter of this index.
    Trained(usize),
    /// As it was loaded, plus `scale · B · A`.
    Adapted {
        base: Tensor<B, 2>,
        a: usize,
        b: usize,
        scale: f64,
    },
}

/// The rows of the head that make a score.
#[derive(Debug)]
pub(crate) enum HeadRows<B: Backend> {
    Fixed(Tensor<B, 2>),
    Trained(usize),
    /// Rows of the embedding table.
    Tied(Vec<u32>),
}

pub(crate) const TABLE: &str = "embed_tokens.weight";

impl<B: Gradients> Model<B> {
    /// The network as it is now, without gradients.
    pub fn network(&self) -> Result<Qwen3<B>, Error> {
        let mut tensors = Effective { model: self, lift: Plain };
        Ok(Qwen3::assemble(&self.config, self.plan.strategy, &mut tensors)?)
    }

    /// The network as nodes of the graph that `leaves` are the roots of.
    pub fn differentiable_network(
        &self,
        leaves: &mut Leaves<B>,
    ) -> Result<Qwen3<Autodiff<B>>, Error> {
        let mut tensors = Effective { model: self, lift: Tracked(leaves) };
        Ok(Qwen3::assemble(&self.config, self.plan.strategy, &mut tensors)?)
    }

    /// The head's rows, as nodes of the graph.
    ///
    /// # Panics
    /// If the model has no head.
    pub fn differentiable_head(&self, leaves: &mut Leaves<B>) -> Tensor<Autodiff<B>, 2> {
        let mut leaf = |index: usize| {
            let Parameter { shape, .. } = &self.parameters[index];
            let leaf = leaves.leaf(index, &self.parameters[index]);
            leaf.reshape([shape[0], shape[1]])
        };
        match self.head.as_ref().expect("only rerankers have a loss of scores") {
            HeadRows::Fixed(rows) => Tensor::from_inner(rows.clone()),
            HeadRows::Trained(index) => leaf(*index),
            HeadRows::Tied(ids) => {
                let Role::Trained(table) = self.roles[TABLE] else {
                    unreachable!("rows of a fixed table are fixed themselves")
                };
                select(leaf(table), ids)
            }
        }
    }

    /// The head's rows as they are now, and the tensor that they are of.
    pub fn head_rows(&self) -> Option<(&'static str, Tensor<B, 2>)> {
        let name = match self.plan.head {
            Head::Embedding => return None,
            Head::SequenceClassification => "score.weight",
            Head::YesNo { .. } => YES_NO,
        };
        let rows = match self.head.as_ref()? {
            HeadRows::Fixed(rows) => rows.clone(),
            HeadRows::Trained(index) => self.trained_matrix(&mut Plain, *index),
            HeadRows::Tied(ids) => {
                let Role::Trained(table) = self.roles[TABLE] else {
                    unreachable!("rows of a fixed table are fixed themselves")
                };
                return Some((TABLE, select(self.trained_matrix(&mut Plain, table), ids)));
            }
        };
        Some((name, rows))
    }

    /// Every tensor of the network as it is now, in float32, with its shape.
    pub fn merged(&self, name: &str) -> Option<(Vec<usize>, Tensor<B, 1>)> {
        let role = self.roles.get(name)?;
        let mut lift = Plain;
        Some(match role {
            Role::Trained(index) => {
                let Parameter { shape, value, .. } = &self.parameters[*index];
                (shape.clone(), value.clone())
            }
            Role::Vector(vector) => (vector.dims().to_vec(), vector.clone()),
            Role::Matrix(blocks) => {
                let blocks = blocks.iter().map(|block| block.clone().cast(DType::F32)).collect();
                let whole = Tensor::cat(blocks, 0);
                (whole.dims().to_vec(), whole.flatten(0, 1))
            }
            Role::Adapted { base, a, b, scale } => {
                let whole = self.adapted(&mut lift, base, [*a, *b], *scale);
                (whole.dims().to_vec(), whole.flatten(0, 1))
            }
        })
    }

    /// The names of the network's tensors.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.roles.keys().map(String::as_str)
    }

    pub fn adapted<L: Lift<B>>(
        &self,
        lift: &mut L,
        base: &Tensor<B, 2>,
        [a, b]: [usize; 2],
        scale: f64,
    ) -> Tensor<L::Into, 2> {
        let [a, b] = [a, b].map(|index| self.trained_matrix(lift, index));
        lift.constant(base.clone()).cast(DType::F32) + b.matmul(a) * scale
    }

    pub fn trained_matrix<L: Lift<B>>(&self, lift: &mut L, index: usize) -> Tensor<L::Into, 2> {
        let parameter = &self.parameters[index];
        let [rows, columns] = [parameter.shape[0], parameter.shape[1]];
        lift.leaf(index, parameter).reshape([rows, columns])
    }
}

fn select<B: Backend>(table: Tensor<B, 2>, ids: &[u32]) -> Tensor<B, 2> {
    let ids: Vec<i32> = ids.iter().map(|&id| id as i32).collect();
    let n = ids.len();
    let ids = Tensor::from_data(TensorData::new(ids, [n]), &table.device());
    table.select(0, ids)
}
