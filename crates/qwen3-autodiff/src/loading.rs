//! From a checkpoint to a model in training: which tensor is trained, which stays.

use crate::error::Error;
use crate::init::kaiming;
use crate::model::{HeadRows, Model, Role, TABLE};
use crate::parameters::Parameter;
use crate::plan::{Head, Method, Plan};
use burn::tensor::{Tensor, TensorData, backend::Backend};
use qwen3::dtype::burn_dtype;
use qwen3::head::{HEADS, YES_NO, yes_no_rows};
use qwen3::{Config, Dtype, OnTensor, Qwen3, Tensors, Weights};
use qwen3_kernels::{Gradients, Weight};
use std::collections::BTreeMap;

/// Gives each tensor its role.
pub(crate) struct Loading<'a, B: Backend> {
    pub weights: &'a Weights,
    pub config: &'a Config,
    pub plan: &'a Plan,
    pub device: &'a B::Device,
    pub on_tensor: OnTensor<'a>,
    pub roles: BTreeMap<String, Role<B>>,
    pub parameters: Vec<Parameter<B>>,
}

impl<B: Gradients> Loading<'_, B> {
    /// # Errors
    /// As [`Qwen3::load`], and if nothing is left to train.
    pub fn model(mut self) -> Result<Model<B>, Error> {
        let (weights, config, plan) = (self.weights, self.config, self.plan);
        // Assembled for its side effect: each tensor gets its role, and its shape is checked.
        Qwen3::<B>::assemble(config, plan.strategy, &mut self)?;
        let heads = HEADS.map(str::to_owned);
        weights.all_in(&self.roles.keys().cloned().chain(heads).collect())?;
        let head = self.head()?;
        if self.parameters.is_empty() {
            let Method::Lora { targets, .. } = &plan.method else { unreachable!("all is trained") };
            let targets: Vec<_> = targets.iter().map(ToString::to_string).collect();
            return Err(Error::NothingToTrain { targets: targets.join(", ") });
        }
        let Self { roles, parameters, .. } = self;
        Ok(Model { config: config.clone(), plan: plan.clone(), parameters, roles, head })
    }

    fn head(&mut self) -> Result<Option<HeadRows<B>>, Error> {
        let (weights, config) = (self.weights, self.config);
        let (name, rows) = match self.plan.head {
            Head::Embedding => return Ok(None),
            Head::SequenceClassification => {
                ("score.weight", vec![weights.row("score.weight", [1, config.hidden_size], 0)?])
            }
            Head::YesNo { yes, no } => {
                let is_tied = !weights.contains("lm_head.weight") && !weights.contains(YES_NO);
                if is_tied && matches!(self.roles[TABLE], Role::Trained(_)) {
                    return Ok(Some(HeadRows::Tied(
                        [Some(yes), no].into_iter().flatten().collect(),
                    )));
                }
                let [yes_row, no_row] = yes_no_rows(weights, config, yes, no)?;
                (YES_NO, if no.is_some() { vec![yes_row, no_row] } else { vec![yes_row] })
            }
        };
        let shape = [rows.len(), config.hidden_size];
        if self.plan.method == Method::Full {
            let index = self.parameter(name.to_owned(), shape, rows.concat());
            return Ok(Some(HeadRows::Trained(index)));
        }
        let data = TensorData::new(rows.concat(), shape);
        Ok(Some(HeadRows::Fixed(self.on_device(data, Dtype::F32))))
    }
}

impl<B: Gradients> Tensors<B> for Loading<'_, B> {
    fn table(&mut self, name: &str, shape: [usize; 2]) -> Result<Vec<Weight<B>>, qwen3::Error> {
        let [rows, columns] = shape;
        let float32_bytes = (rows * columns * 4) as u64;
        if self.plan.method == Method::Full && float32_bytes <= self.plan.max_tensor_bytes {
            return Ok(vec![self.trained(name, shape)?.into()]);
        }
        self.before_tensor()?;
        let row_bytes = self.plan.dtype.bytes_of(columns) as u64;
        let most = usize::try_from(self.plan.max_tensor_bytes / row_bytes).unwrap_or(usize::MAX);
        let part_rows = most.clamp(1, rows);
        let parts = (0..rows).step_by(part_rows).map(|first| {
            let part = first..rows.min(first + part_rows);
            let data = self.weights.rows(name, shape, part, self.plan.dtype)?;
            Ok(self.on_device(data, self.plan.dtype))
        });
        let parts = parts.collect::<Result<Vec<Tensor<B, 2>>, qwen3::Error>>()?;
        self.roles.insert(name.to_owned(), Role::Matrix(parts.clone()));
        Ok(parts.into_iter().map(Weight::from).collect())
    }

    fn matrix(&mut self, name: &str, shape: [usize; 2]) -> Result<Weight<B>, qwen3::Error> {
        let Method::Lora { rank, alpha, targets, seed } = &self.plan.method else {
            return Ok(self.trained(name, shape)?.into());
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
        Ok(base.into())
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
        Tensor::from_data(data, (self.device, burn_dtype(dtype)))
    }
}
