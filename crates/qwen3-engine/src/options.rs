//! What callers may choose.

use crate::choices::DtypeChoice;
use crate::device::id::DeviceChoice;
use crate::progress::Hooks;
use qwen3_text::{SpecialTokens, Truncate};

/// Setters of fields by their names, so that options can grow without breaking callers.
macro_rules! setters {
    ($($field:ident: $type:ty),* $(,)?) => {
        $(
            #[doc = concat!("The same options with this `", stringify!($field), "`; see the field.")]
            #[must_use]
            pub fn $field(mut self, $field: impl Into<$type>) -> Self {
                self.$field = $field.into();
                self
            }
        )*
    };
}
pub(crate) use setters;

/// How a model is loaded and run. The defaults are right for most.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Options {
    /// The device, or the best that works.
    pub device: DeviceChoice,
    /// Precision of the weights in memory.
    pub dtype: DtypeChoice,
    /// Worker threads; `None`: one per physical core this process may use.
    pub threads: Option<usize>,
    /// Tokens computed at one time; `None`: chosen by device. A longer text is
    /// a batch of its own. More is faster on a GPU, and needs more memory.
    pub max_batch_tokens: Option<usize>,
    /// Tokens of one text, with prompt and end token; `None`: as many as the
    /// model takes (rerankers: 8,192, as in the model card).
    pub max_tokens: Option<usize>,
    /// What happens to longer texts.
    pub truncate: Truncate,
    /// How control tokens in user text are treated; `None`: parsed for
    /// embeddings, as every reference does, and literal for rerankers, so that
    /// no document can answer for the model.
    pub special_tokens: Option<SpecialTokens>,
    /// Progress of downloading and loading, and their cancelling.
    pub hooks: Hooks,
}

impl Options {
    setters! {
        device: DeviceChoice,
        dtype: DtypeChoice,
        threads: Option<usize>,
        max_batch_tokens: Option<usize>,
        max_tokens: Option<usize>,
        truncate: Truncate,
        special_tokens: Option<SpecialTokens>,
        hooks: Hooks,
    }
}
