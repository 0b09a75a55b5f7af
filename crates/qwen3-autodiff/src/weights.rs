//! What each tensor of the network is made of, and networks made of that.

use crate::error::Error;
use crate::init::kaiming;
use crate::parameters::{Leaves, Parameter};
use crate::plan::{Head, Method, Plan};
use burn::tensor::{DType, Tensor, TensorData, backend::Backend};
use burn_autodiff::Autodiff;
use qwen3::head::{YES_NO, yes_no_rows};
use qwen3::{Config, Dtype, OnTensor, Qwen3, Tensors, Weights};
use qwen3_kernels::{Gradients, Kernels};
use std::collections::{BTreeMap, BTreeSet};

/// The network's tensors, of which some are trained.
#[derive(Debug)]
pub(crate) struct Model<B: Backend> {
    pub config: Config,
    pub plan: Plan,
    pub parameters: Vec<Parameter<B>>,
    /// What each tensor of the network is, by its name.
    roles: BTreeMap<String, Role<B>>,
    head: Option<HeadRows<B>>,
}

#[derive(Debug)]
enum Role<B: Backend> {
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
enum HeadRows<B: Backend> {
    Fixed(Tensor<B, 2>),
    Trained(usize),
    /// Rows of the embedding table.
    Tied(Vec<u32>),
}

const TABLE: &str = "embed_tokens.weight";

impl<B: Gradients> Model<B> {
    /// # Errors
    /// As [`Qwen3::load`], and if nothing is left to train.
    pub fn load(
        weights: &Weights,
        config: &Config,
        plan: &Plan,
        device: &B::Device,
        on_tensor: OnTensor,
    ) -> Result<Self, Error> {
        let mut loading = Loading {
            weights,
            plan,
            device,
            on_tensor,
            roles: BTreeMap::new(),
            parameters: vec![],
        };
        // Assembled once for its side effect: each tensor gets its role, and its shape is checked.
        Qwen3::<B>::assemble(config, plan.strategy, &mut loading)?;
        let Loading { roles, mut parameters, .. } = loading;
        let heads = qwen3::head::HEADS.map(str::to_owned);
        weights.all_in(&BTreeSet::from_iter(roles.keys().cloned().chain(heads)))?;
        let trains_table = matches!(roles[TABLE], Role::Trained(_));
        let head = load_head(weights, config, plan, device, trains_table)?;
        let head = head.map(|head| match head {
            LoadedHead::Tied(ids) => HeadRows::Tied(ids),
            LoadedHead::Rows(_, rows) if plan.method != Method::Full => HeadRows::Fixed(rows),
            LoadedHead::Rows(name, rows) => {
                let shape = rows.dims().to_vec();
                parameters.push(Parameter::new(name.to_owned(), shape, rows.flatten(0, 1)));
                HeadRows::Trained(parameters.len() - 1)
            }
        });
        if parameters.is_empty() {
            let Method::Lora { targets, .. } = &plan.method else { unreachable!("all is trained") };
            let targets: Vec<_> = targets.iter().map(ToString::to_string).collect();
            return Err(Error::NothingToTrain { targets: targets.join(", ") });
        }
        Ok(Self { config: config.clone(), plan: plan.clone(), parameters, roles, head })
    }

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

    fn adapted<L: Lift<B>>(
        &self,
        lift: &mut L,
        base: &Tensor<B, 2>,
        [a, b]: [usize; 2],
        scale: f64,
    ) -> Tensor<L::Into, 2> {
        let [a, b] = [a, b].map(|index| self.trained_matrix(lift, index));
        lift.constant(base.clone()).cast(DType::F32) + b.matmul(a) * scale
    }

    fn trained_matrix<L: Lift<B>>(&self, lift: &mut L, index: usize) -> Tensor<L::Into, 2> {
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

/// How tensors go into a network of another backend.
trait Lift<B: Backend> {
    type Into: Kernels;
    fn constant<const D: usize>(&self, x: Tensor<B, D>) -> Tensor<Self::Into, D>;
    fn leaf(&mut self, index: usize, parameter: &Parameter<B>) -> Tensor<Self::Into, 1>;
}

/// Into the same backend.
struct Plain;

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
struct Tracked<'a, B: Backend>(&'a mut Leaves<B>);

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
struct Effective<'a, B: Backend, L> {
    model: &'a Model<B>,
    lift: L,
}

impl<B: Gradients, L: Lift<B>> Tensors<L::Into> for Effective<'_, B, L> {
    fn table(
        &mut self,
        name: &str,
        _: [usize; 2],
    ) -> Result<Vec<Tensor<L::Into, 2>>, qwen3::Error> {
        Ok(match &self.model.roles[name] {
            Role::Matrix(blocks) => {
                blocks.iter().map(|block| self.lift.constant(block.clone())).collect()
            }
            Role::Trained(index) => vec![self.model.trained_matrix(&mut self.lift, *index)],
            Role::Vector(_) | Role::Adapted { .. } => unreachable!("a table is a plain matrix"),
        })
    }

    fn matrix(&mut self, name: &str, _: [usize; 2]) -> Result<Tensor<L::Into, 2>, qwen3::Error> {
        let dtype = self.model.plan.dtype.burn();
        Ok(match &self.model.roles[name] {
            Role::Matrix(blocks) => self.lift.constant(blocks[0].clone()),
            Role::Trained(index) => {
                L::Into::rounded(self.model.trained_matrix(&mut self.lift, *index), dtype)
            }
            Role::Adapted { base, a, b, scale } => {
                let whole = self.model.adapted(&mut self.lift, base, [*a, *b], *scale);
                L::Into::rounded(whole, dtype)
            }
            Role::Vector(_) => unreachable!("a linear layer has a matrix"),
        })
    }

    fn vector(&mut self, name: &str, _: usize) -> Result<Tensor<L::Into, 1>, qwen3::Error> {
        Ok(match &self.model.roles[name] {
            Role::Vector(vector) => self.lift.constant(vector.clone()),
            Role::Trained(index) => self.lift.leaf(*index, &self.model.parameters[*index]),
            Role::Matrix(_) | Role::Adapted { .. } => unreachable!("a norm has a vector"),
        })
    }
}

/// Gives each tensor its role.
struct Loading<'a, B: Backend> {
    weights: &'a Weights,
    plan: &'a Plan,
    device: &'a B::Device,
    on_tensor: OnTensor<'a>,
    roles: BTreeMap<String, Role<B>>,
    parameters: Vec<Parameter<B>>,
}

impl<B: Gradients> Tensors<B> for Loading<'_, B> {
    fn table(&mut self, name: &str, shape: [usize; 2]) -> Result<Vec<Tensor<B, 2>>, qwen3::Error> {
        let [rows, columns] = shape;
        let float32_bytes = (rows * columns * 4) as u64;
        if self.plan.method == Method::Full && float32_bytes <= self.plan.max_tensor_bytes {
            return Ok(vec![self.trained(name, shape)?]);
        }
        self.before_tensor()?;
        let row_bytes = (columns * self.plan.dtype.size_bytes()) as u64;
        let most = usize::try_from(self.plan.max_tensor_bytes / row_bytes).unwrap_or(usize::MAX);
        let block_rows = most.clamp(1, rows);
        let blocks = (0..rows).step_by(block_rows).map(|first| {
            let block = first..rows.min(first + block_rows);
            let data = self.weights.rows(name, shape, block, self.plan.dtype)?;
            Ok(self.on_device(data, self.plan.dtype))
        });
        let blocks = blocks.collect::<Result<Vec<_>, qwen3::Error>>()?;
        self.roles.insert(name.to_owned(), Role::Matrix(blocks.clone()));
        Ok(blocks)
    }

    fn matrix(&mut self, name: &str, shape: [usize; 2]) -> Result<Tensor<B, 2>, qwen3::Error> {
        let Method::Lora { rank, alpha, targets, seed } = &self.plan.method else {
            return self.trained(name, shape);
        };
        self.before_tensor()?;
        let data = self.weights.tensor(name, &shape, self.plan.dtype)?;
        let base: Tensor<B, 2> = self.on_device(data, self.plan.dtype);
        let role = match targets.iter().any(|target| target.is_weight(name)) {
            false => Role::Matrix(vec![base.clone()]),
            true => {
                let path = name.strip_suffix(".weight").expect("weights of layers are called so");
                let (a, b) = ([*rank, shape[1]], [shape[0], *rank]);
                let random = kaiming(a, *seed, path);
                let a = self.parameter(format!("{path}.lora_A.weight"), a, random);
                let b = self.parameter(format!("{path}.lora_B.weight"), b, vec![0.0; b[0] * b[1]]);
                Role::Adapted { base: base.clone(), a, b, scale: alpha / *rank as f64 }
            }
        };
        self.roles.insert(name.to_owned(), role);
        Ok(base)
    }

    fn vector(&mut self, name: &str, width: usize) -> Result<Tensor<B, 1>, qwen3::Error> {
        if self.plan.method == Method::Full {
            return self.trained(name, [width]);
        }
        self.before_tensor()?;
        let data = self.weights.tensor(name, &[width], Dtype::F32)?;
        let vector: Tensor<B, 1> = self.on_device(data, Dtype::F32);
        self.roles.insert(name.to_owned(), Role::Vector(vector.clone()));
        Ok(vector)
    }
}

impl<B: Gradients> Loading<'_, B> {
    fn trained<const D: usize>(
        &mut self,
        name: &str,
        shape: [usize; D],
    ) -> Result<Tensor<B, D>, qwen3::Error> {
        self.before_tensor()?;
        let data = self.weights.tensor(name, &shape, Dtype::F32)?;
        let values = data.into_vec().expect("converted to float32");
        let index = self.parameter(name.to_owned(), shape, values);
        self.roles.insert(name.to_owned(), Role::Trained(index));
        Ok(self.parameters[index].value.clone().reshape(shape))
    }

    fn parameter<const D: usize>(
        &mut self,
        name: String,
        shape: [usize; D],
        values: Vec<f32>,
    ) -> usize {
        let n = values.len();
        let value = self.on_device(TensorData::new(values, [n]), Dtype::F32);
        self.parameters.push(Parameter::new(name, shape.to_vec(), value));
        self.parameters.len() - 1
    }

    fn before_tensor(&mut self) -> Result<(), qwen3::Error> {
        match (self.on_tensor)(self.roles.len(), self.weights.len()).is_break() {
            true => Err(qwen3::Error::Stopped),
            false => Ok(()),
        }
    }

    fn on_device<const D: usize>(&self, data: TensorData, dtype: Dtype) -> Tensor<B, D> {
        Tensor::from_data(data, (self.device, dtype.burn()))
    }
}

enum LoadedHead<B: Backend> {
    Tied(Vec<u32>),
    /// With the name that they are trained by.
    Rows(&'static str, Tensor<B, 2>),
}

fn load_head<B: Backend>(
    weights: &Weights,
    config: &Config,
    plan: &Plan,
    device: &B::Device,
    trains_table: bool,
) -> Result<Option<LoadedHead<B>>, Error> {
    let width = config.hidden_size;
    let on_device = |rows: &[Vec<f32>]| {
        let data = TensorData::new(rows.concat(), [rows.len(), width]);
        Tensor::from_data(data, (device, DType::F32))
    };
    Ok(Some(match plan.head {
        Head::Embedding => return Ok(None),
        Head::SequenceClassification => {
            let row = weights.row("score.weight", [1, width], 0)?;
            LoadedHead::Rows("score.weight", on_device(&[row]))
        }
        Head::YesNo { yes, no } => {
            let is_tied = !weights.contains("lm_head.weight") && !weights.contains(YES_NO);
            let [yes_row, no_row] = yes_no_rows(weights, config, yes, no)?;
            match (is_tied && trains_table, no) {
                (true, Some(no)) => LoadedHead::Tied(vec![yes, no]),
                (true, None) => LoadedHead::Tied(vec![yes]),
                (false, Some(_)) => LoadedHead::Rows(YES_NO, on_device(&[yes_row, no_row])),
                (false, None) => LoadedHead::Rows(YES_NO, on_device(&[yes_row])),
            }
        }
    }))
}
