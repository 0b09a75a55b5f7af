//! The fields of a JSON object, read by name. What has one meaning is taken,
//! however a client writes it: `null` is no field, a number or a bool may stand in
//! quotes, one text may stand for a list of one. All else is refused by its path,
//! such as `inputs[3]`.

use super::object::{MAX_FIELDS, Object};
use crate::error::Error;
use serde::Deserialize;
use serde_json::value::RawValue;
use std::collections::BTreeMap;
use std::fmt;

/// A request that is read from the fields of its body.
pub trait FromFields: Sized {
    fn from_fields(fields: &Fields<'_>) -> Result<Self, Error>;
}

/// The fields of an object that have a value.
pub struct Fields<'a> {
    values: BTreeMap<String, &'a RawValue>,
    path: Path<'a>,
}

/// A value of a field, as it was written.
#[derive(Clone, Copy)]
pub struct Value<'a> {
    raw: &'a RawValue,
    path: Path<'a>,
}

/// What a value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Text,
    Number,
    Bool,
    Null,
    List,
    Object,
}

/// Where a value stands in the body.
#[derive(Clone, Copy)]
enum Path<'a> {
    Body,
    Field { of: &'a Path<'a>, name: &'a str },
    Item { of: &'a Path<'a>, index: usize },
}

impl<'a> Fields<'a> {
    pub fn of_body(json: &'a str) -> Result<Self, Error> {
        if json.trim_ascii().is_empty() {
            return Err(Error::NoBody);
        }
        let raw = serde_json::from_str(json).map_err(|reason| Error::Syntax { reason })?;
        Value { raw, path: Path::Body }.object()
    }

    /// Whether a field has a value.
    pub fn has(&self, name: &str) -> bool {
        self.values.contains_key(name)
    }

    /// The value of a field that has these names.
    ///
    /// # Errors
    /// If it is there under two of them.
    pub fn find<'f>(&'f self, names: &[&'f str]) -> Result<Option<Value<'f>>, Error> {
        let mut found = names.iter().filter_map(|name| {
            let raw = self.values.get(*name)?;
            Some(Value { raw, path: Path::Field { of: &self.path, name } })
        });
        let value = found.next();
        match (value, found.next()) {
            (Some(value), Some(other)) => {
                Err(other.error(format!("says the same as `{}`; send one", value.path)))
            }
            _ => Ok(value),
        }
    }

    /// The same of a field that must be there.
    pub fn need<'f>(&'f self, names: &[&'f str]) -> Result<Value<'f>, Error> {
        self.find(names)?.ok_or_else(|| {
            let path = Path::Field { of: &self.path, name: names[0] }.to_string();
            Error::Field { path, reason: "is missing".to_owned() }
        })
    }

    pub fn text(&self, names: &[&str]) -> Result<Option<String>, Error> {
        self.find(names)?.map(|value| value.text()).transpose()
    }

    pub fn flag(&self, names: &[&str]) -> Result<Option<bool>, Error> {
        self.find(names)?.map(|value| value.flag()).transpose()
    }

    pub fn whole(&self, names: &[&str]) -> Result<Option<i64>, Error> {
        self.find(names)?.map(|value| value.whole()).transpose()
    }

    /// How many are wanted, at least `minimum`.
    pub fn count(&self, names: &[&str], minimum: i64) -> Result<Option<usize>, Error> {
        let Some(value) = self.find(names)? else { return Ok(None) };
        match value.whole()? {
            whole if whole < minimum => {
                Err(value.error(format!("must be at least {minimum}. Given: {whole}")))
            }
            whole => Ok(Some(usize::try_from(whole).unwrap_or(usize::MAX))),
        }
    }
}

impl<'a> Value<'a> {
    /// What JSON calls it.
    pub fn kind(&self) -> Kind {
        Kind::of(self.raw.get())
    }

    /// The same of the first item of a list.
    pub fn kind_of_first(&self) -> Option<Kind> {
        let rest = self.raw.get().strip_prefix('[')?.trim_ascii_start();
        (!rest.starts_with(']')).then(|| Kind::of(rest))
    }

    pub fn text(&self) -> Result<String, Error> {
        self.parse().ok_or_else(|| self.expected("a text"))
    }

    /// Yes or no, in quotes too, or 1 or 0.
    pub fn flag(&self) -> Result<bool, Error> {
        match self.bare().to_ascii_lowercase().as_str() {
            "true" | "1" => Ok(true),
            "false" | "0" => Ok(false),
            _ => Err(self.expected("`true` or `false`")),
        }
    }

    /// A whole number, in quotes too; one that is too large is the largest.
    pub fn whole(&self) -> Result<i64, Error> {
        let bare = self.bare();
        let number: Option<f64> = serde_json::from_str(bare).ok();
        match (bare.parse(), number.filter(|number| number.fract() == 0.0)) {
            (Ok(whole), _) => Ok(whole),
            (Err(_), Some(number)) => Ok(number as i64),
            (Err(_), None) => Err(self.expected("a whole number")),
        }
    }

    /// What each item of a list is.
    pub fn each<T>(
        &self,
        expected: &str,
        read: impl FnMut(Value<'_>) -> Result<T, Error>,
    ) -> Result<Vec<T>, Error> {
        let items: Vec<&RawValue> = self.parse().ok_or_else(|| self.expected(expected))?;
        let item = |(index, raw)| Value { raw, path: Path::Item { of: &self.path, index } };
        items.into_iter().enumerate().map(item).map(read).collect()
    }

    pub fn ids(&self) -> Result<Vec<u32>, Error> {
        let expected = "a list of token ids";
        self.parse().map_or_else(
            || self.each(expected, |item| item.parse().ok_or_else(|| item.expected("a token id"))),
            Ok,
        )
    }

    /// Its fields, if it is an object.
    pub fn object(self) -> Result<Fields<'a>, Error> {
        let Value { raw, path } = self;
        if self.kind() != Kind::Object {
            return Err(self.expected("an object"));
        }
        match serde_json::from_str(raw.get()) {
            Ok(Object(values)) => Ok(Fields { values, path }),
            Err(_) => Err(self.error(format!("has more than {MAX_FIELDS} fields"))),
        }
    }

    /// That there is nothing in it.
    pub fn empty(&self) -> Error {
        Error::Empty { field: self.path.to_string() }
    }

    /// An error about it.
    pub fn error(&self, reason: String) -> Error {
        Error::Field { path: self.path.to_string(), reason }
    }

    /// That it is something else.
    pub fn expected(&self, expected: &str) -> Error {
        self.error(format!("must be {expected}. Given: {}", self.kind()))
    }

    /// As it was written, without quotes.
    pub fn bare(&self) -> &'a str {
        self.raw.get().trim_matches('"').trim()
    }

    fn parse<T: Deserialize<'a>>(&self) -> Option<T> {
        serde_json::from_str(self.raw.get()).ok()
    }
}

impl Kind {
    fn of(json: &str) -> Self {
        match json.as_bytes().first() {
            Some(b'"') => Self::Text,
            Some(b'[') => Self::List,
            Some(b'{') => Self::Object,
            Some(b't' | b'f') => Self::Bool,
            Some(b'n') => Self::Null,
            _ => Self::Number,
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Text => "a text",
            Self::Number => "a number",
            Self::Bool => "a bool",
            Self::Null => "null",
            Self::List => "a list",
            Self::Object => "an object",
        })
    }
}

impl fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Body => f.write_str("body"),
            Self::Field { of: Self::Body, name } => f.write_str(name),
            Self::Field { of, name } => write!(f, "{of}.{name}"),
            Self::Item { of, index } => write!(f, "{of}[{index}]"),
        }
    }
}

#[cfg(test)]
mod tests;
