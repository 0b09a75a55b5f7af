//! Points of the forward pass that can be looked at, by the names that they
//! have in the checkpoint, so that a fault is found where it is made.

use crate::error::Error;
use burn::tensor::{DType, Int, Tensor, backend::Backend};
use std::fmt;

/// A point in the forward pass, written as a path such as `layers.0.self_attn.q_norm`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Stage {
    /// The token embeddings, `[T, C]`.
    EmbedTokens,
    /// A step of a decoder layer.
    Layer(usize, Step),
    /// The hidden states after the final norm, `[R, C]`.
    Norm,
}

/// A step of a decoder layer, in the order of execution. After the last layer
/// there are only the rows that are asked for, `R` instead of `T`; heads are
/// seen one after the other in a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Step {
    /// The normed residual stream, `[T, C]`.
    InputLayernorm,
    /// Values, `[T, K·D]`.
    VProj,
    /// Queries after their norm and the rotation, `[T, H·D]`.
    QRotary,
    /// Keys after their norm and the rotation, `[T, K·D]`.
    KRotary,
    /// What attention gives to `o_proj`, `[T, H·D]`.
    Attention,
    /// The residual stream with what attention adds, normed, `[T, C]`.
    PostAttentionLayernorm,
    /// The residual stream after the layer, `[T, C]`.
    Output,
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = match *self {
            Self::EmbedTokens => "embed_tokens".to_owned(),
            Self::Norm => "norm".to_owned(),
            Self::Layer(layer, Step::Output) => format!("layers.{layer}"),
            Self::Layer(layer, step) => format!("layers.{layer}.{}", step.path()),
        };
        f.pad(&path)
    }
}

impl Step {
    fn path(self) -> &'static str {
        match self {
            Self::InputLayernorm => "input_layernorm",
            Self::VProj => "self_attn.v_proj",
            Self::QRotary => "self_attn.q_rotary",
            Self::KRotary => "self_attn.k_rotary",
            Self::Attention => "self_attn.attention",
            Self::PostAttentionLayernorm => "post_attention_layernorm",
            Self::Output => "",
        }
    }
}

/// A stage and rows of it, one after the other.
pub type Recorded = (Stage, Vec<f32>);

/// Who looks on while the network computes.
pub enum Observer<'a, B: Backend> {
    /// Ends the pass as soon as the function says so.
    StopIf(&'a dyn Fn() -> bool),
    /// Copies these rows of every stage to the host.
    Record {
        /// Indices of tokens in the batch.
        rows: Tensor<B, 1, Int>,
        /// Where they go.
        seen: &'a mut Vec<Recorded>,
    },
}

impl<B: Backend> Observer<'_, B> {
    /// # Errors
    /// If the pass shall end here.
    pub(crate) fn see<const N: usize>(
        &mut self,
        stage: Stage,
        x: &Tensor<B, N>,
    ) -> Result<(), Error> {
        self.see_made(stage, || x.clone())
    }

    /// The same of a stage that is made for who records it only.
    ///
    /// # Errors
    /// If the pass shall end here.
    pub(crate) fn see_made<const N: usize>(
        &mut self,
        stage: Stage,
        make: impl FnOnce() -> Tensor<B, N>,
    ) -> Result<(), Error> {
        match self {
            Self::StopIf(should_stop) => match should_stop() {
                true => Err(Error::Stopped),
                false => Ok(()),
            },
            Self::Record { rows, seen } => {
                seen.push((stage, to_host(make().select(0, rows.clone()))?));
                Ok(())
            }
        }
    }
}

/// The numbers of a float32 tensor.
///
/// # Errors
/// If the device fails.
pub(crate) fn to_host<B: Backend, const N: usize>(x: Tensor<B, N>) -> Result<Vec<f32>, Error> {
    // A kernel that wasn't launched leaves whatever was in memory before; it is
    // asking for the device's errors that tells.
    B::sync(&x.device()).map_err(device_error)?;
    let data = x.cast(DType::F32).try_into_data().map_err(device_error)?;
    Ok(data.into_vec().expect("it was cast"))
}

pub(crate) fn device_error(error: impl fmt::Display) -> Error {
    Error::Device { message: error.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stages_are_called_as_in_the_checkpoint() {
        assert_eq!(Stage::EmbedTokens.to_string(), "embed_tokens");
        assert_eq!(Stage::Layer(0, Step::QRotary).to_string(), "layers.0.self_attn.q_rotary");
        assert_eq!(Stage::Layer(27, Step::Output).to_string(), "layers.27");
        assert!(Stage::Layer(0, Step::Output) < Stage::Layer(1, Step::InputLayernorm));
        assert!(Stage::EmbedTokens < Stage::Layer(0, Step::VProj));
        assert!(Stage::Layer(9, Step::Output) < Stage::Norm);
    }
}
