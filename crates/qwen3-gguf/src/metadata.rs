//! Typed access to what a file says about itself. Values stay where they are in the file.

use crate::description::unsupported;
use crate::error::Error;
use crate::header::Cursor;
use crate::value::{Array, Value, ValueType};
use std::collections::BTreeMap;
use std::ops::Range;
use std::path::Path;

/// Where values are, by their keys.
pub type Entries = BTreeMap<String, Entry>;

/// A value of a file that was checked when it was opened.
#[derive(Debug)]
pub struct Entry {
    pub value_type: ValueType,
    pub bytes: Range<usize>,
}

/// The metadata of a file.
#[derive(Clone, Copy, Debug)]
pub struct Metadata<'f> {
    pub(crate) file: &'f [u8],
    pub(crate) path: &'f Path,
    pub(crate) entries: &'f Entries,
}

impl<'f> Metadata<'f> {
    /// The keys in the order of the alphabet.
    pub fn keys(self) -> impl Iterator<Item = &'f str> {
        self.entries.keys().map(String::as_str)
    }

    /// The value of a key.
    pub fn get(self, key: &str) -> Option<Value<'f>> {
        self.entries.get(key).map(|entry| entry.value(self.file))
    }

    /// A text; `None`: there is no such key.
    ///
    /// # Errors
    /// If it is none.
    pub fn text(self, key: &str) -> Result<Option<&'f str>, Error> {
        self.typed(key, "a text", |value| match value {
            Value::Text(text) => Some(text),
            _ => None,
        })
    }

    /// A truth value; `None`: there is no such key.
    ///
    /// # Errors
    /// If it is none.
    pub fn bool(self, key: &str) -> Result<Option<bool>, Error> {
        self.typed(key, "true or false", |value| match value {
            Value::Bool(value) => Some(value),
            _ => None,
        })
    }

    /// A whole number from 0 on of any width; `None`: there is no such key.
    ///
    /// # Errors
    /// If it is none, or below 0.
    pub fn unsigned(self, key: &str) -> Result<Option<u64>, Error> {
        if let Some(Value::Signed(negative @ ..0)) = self.get(key) {
            return Err(unsupported(self, key, negative));
        }
        self.typed(key, "a whole number", Value::as_unsigned)
    }

    /// A floating-point number; `None`: there is no such key. One of 32 bits is that of 64 bits
    /// with the same shortest decimal form: the `1e-6` of a config.json, and not 9.99999997e-7.
    ///
    /// # Errors
    /// If it is none.
    pub fn float(self, key: &str) -> Result<Option<f64>, Error> {
        self.typed(key, "a floating-point number", |value| match value {
            Value::F64(value) => Some(value),
            Value::F32(value) => value.to_string().parse().ok(),
            _ => None,
        })
    }

    /// An array of texts; `None`: there is no such key.
    ///
    /// # Errors
    /// If it is none.
    pub fn texts(self, key: &str) -> Result<Option<Vec<&'f str>>, Error> {
        self.typed(key, "an array of texts", |value| match value {
            Value::Array(array) if array.element == ValueType::Text || array.length == 0 => {
                let texts = array.iter().map(|value| match value {
                    Value::Text(text) => Some(text),
                    _ => None,
                });
                texts.collect()
            }
            _ => None,
        })
    }

    /// An array of anything; `None`: there is no such key.
    ///
    /// # Errors
    /// If it is none.
    pub fn array(self, key: &str) -> Result<Option<Array<'f>>, Error> {
        self.typed(key, "an array", |value| match value {
            Value::Array(array) => Some(array),
            _ => None,
        })
    }

    /// A value without which there is no model.
    pub(crate) fn needed<T>(self, key: &str, value: Option<T>) -> Result<T, Error> {
        let missing = || Error::MissingKey { path: self.path.to_owned(), key: key.to_owned() };
        value.ok_or_else(missing)
    }

    fn typed<T>(
        self,
        key: &str,
        expected: &'static str,
        as_type: impl Fn(Value<'f>) -> Option<T>,
    ) -> Result<Option<T>, Error> {
        let Some(entry) = self.entries.get(key) else { return Ok(None) };
        match as_type(entry.value(self.file)) {
            Some(value) => Ok(Some(value)),
            None => Err(Error::KeyType {
                path: self.path.to_owned(),
                key: key.to_owned(),
                expected,
                found: entry.value_type.name(),
            }),
        }
    }
}

impl Entry {
    fn value<'f>(&self, file: &'f [u8]) -> Value<'f> {
        Cursor { bytes: &file[self.bytes.clone()], at: 0 }.value(self.value_type)
    }

    pub fn unsigned(&self, file: &[u8]) -> Option<u64> {
        self.value(file).as_unsigned()
    }
}
