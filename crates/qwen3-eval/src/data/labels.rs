//! Labels as people write them.

use crate::Error;
use std::collections::BTreeMap;

/// A label.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Label {
    /// It counts for itself.
    Number(i64),
    /// Its number is its place among all names.
    Name(String),
}

/// A number for each label: numbers keep theirs, names are numbered in their order from 0, as scikit-learn does.
#[derive(Clone, Debug)]
pub struct LabelIds(BTreeMap<Label, i64>);

impl LabelIds {
    /// Numbers all labels of a task, those to learn from and those to tell.
    ///
    /// # Errors
    /// [`Error::MixedLabels`] if some are numbers and others names.
    pub fn new<'a>(labels: impl IntoIterator<Item = &'a Label>) -> Result<Self, Error> {
        let mut ids: BTreeMap<Label, i64> =
            labels.into_iter().map(|label| (label.clone(), 0)).collect();
        let names = ids.keys().filter(|label| matches!(label, Label::Name(_))).count();
        if names > 0 && names < ids.len() {
            return Err(Error::MixedLabels);
        }
        for (at, (label, id)) in ids.iter_mut().enumerate() {
            *id = if let Label::Number(number) = label { *number } else { at as i64 };
        }
        Ok(Self(ids))
    }

    /// The number of a label that was among those given.
    pub fn id(&self, label: &Label) -> Option<i64> {
        self.0.get(label).copied()
    }

    /// The numbers of labels.
    ///
    /// # Errors
    /// [`Error::UnknownId`] if one wasn't among those given.
    pub fn ids(&self, labels: &[Label]) -> Result<Vec<i64>, Error> {
        let unknown = |label: &Label| Error::UnknownId {
            place: "a row".to_owned(),
            id: format!("{label:?}"),
            among: "the labels".to_owned(),
        };
        labels.iter().map(|label| self.id(label).ok_or_else(|| unknown(label))).collect()
    }
}
