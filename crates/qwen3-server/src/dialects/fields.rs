//! The fields of a JSON object, read by name. What has one meaning is taken,
//! however a client writes it: `null` is no field, a number or a bool may stand in
//! quotes, one text may stand for a list of one. All else is refused by its path,
//! such as `inputs[3]`.

use crate::error::Error;
use serde::Deserialize;
use serde::de::{MapAccess, Visitor};
use serde_json::value::RawValue;
use std::collections::BTreeMap;
use std::fmt;

/// Fields of an object beyond which nobody has written it for us.
const MAX_FIELDS: usize = 1000;

/// A request that is read from the fields of its body.
pub trait FromFields: Sized {
    /// The request.
    ///
    /// # Errors
    /// If a field is missing or wrong.
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
    /// In quotes.
    Text,
    /// A number.
    Number,
    /// `true` or `false`
    Bool,
    /// Nothing.
    Null,
    /// In brackets.
    List,
    /// In braces.
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
    /// Of a body.
    ///
    /// # Errors
    /// If it is not JSON, or no object.
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
    ///
    /// # Errors
    /// If it isn't.
    pub fn need<'f>(&'f self, names: &[&'f str]) -> Result<Value<'f>, Error> {
        self.find(names)?.ok_or_else(|| {
            let path = Path::Field { of: &self.path, name: names[0] }.to_string();
            Error::Field { path, reason: "is missing".to_owned() }
        })
    }

    /// A text.
    ///
    /// # Errors
    /// If it is none.
    pub fn text(&self, names: &[&str]) -> Result<Option<String>, Error> {
        self.find(names)?.map(|value| value.text()).transpose()
    }

    /// Yes or no.
    ///
    /// # Errors
    /// If it is neither.
    pub fn flag(&self, names: &[&str]) -> Result<Option<bool>, Error> {
        self.find(names)?.map(|value| value.flag()).transpose()
    }

    /// A whole number.
    ///
    /// # Errors
    /// If it is none.
    pub fn whole(&self, names: &[&str]) -> Result<Option<i64>, Error> {
        self.find(names)?.map(|value| value.whole()).transpose()
    }

    /// How many are wanted, at least `minimum`.
    ///
    /// # Errors
    /// If it is less.
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

    /// Its text.
    ///
    /// # Errors
    /// If it is none.
    pub fn text(&self) -> Result<String, Error> {
        self.parse().ok_or_else(|| self.expected("a text"))
    }

    /// Yes or no, in quotes too, or 1 or 0.
    ///
    /// # Errors
    /// If it is neither.
    pub fn flag(&self) -> Result<bool, Error> {
        match self.bare().to_ascii_lowercase().as_str() {
            "true" | "1" => Ok(true),
            "false" | "0" => Ok(false),
            _ => Err(self.expected("`true` or `false`")),
        }
    }

    /// A whole number, in quotes too; one that is too large is the largest.
    ///
    /// # Errors
    /// If it is none.
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
    ///
    /// # Errors
    /// If it is no list, or an item is refused.
    pub fn each<T>(
        &self,
        expected: &str,
        read: impl FnMut(Value<'_>) -> Result<T, Error>,
    ) -> Result<Vec<T>, Error> {
        let items: Vec<&RawValue> = self.parse().ok_or_else(|| self.expected(expected))?;
        let item = |(index, raw)| Value { raw, path: Path::Item { of: &self.path, index } };
        items.into_iter().enumerate().map(item).map(read).collect()
    }

    /// Token ids.
    ///
    /// # Errors
    /// If it is no list of them.
    pub fn ids(&self) -> Result<Vec<u32>, Error> {
        let expected = "a list of token ids";
        self.parse().map_or_else(
            || self.each(expected, |item| item.parse().ok_or_else(|| item.expected("a token id"))),
            Ok,
        )
    }

    /// Its fields, if it is an object.
    ///
    /// # Errors
    /// If it is none.
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

/// How many numbers of a vector are asked for; less than one is 0, which no vector has.
pub fn dimensions(fields: &Fields<'_>) -> Result<Option<usize>, Error> {
    let asked = fields.whole(&["dimensions"])?;
    Ok(asked.map(|asked| usize::try_from(asked).unwrap_or(0)))
}

/// An object's fields but those that are `null`; of two of one name the last, as
/// most readers of JSON have it.
struct Object<'a>(BTreeMap<String, &'a RawValue>);

impl<'de> Deserialize<'de> for Object<'de> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct OfObject;
        impl<'de> Visitor<'de> for OfObject {
            type Value = Object<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Object<'de>, M::Error> {
                let mut values = BTreeMap::new();
                while let Some((name, value)) = map.next_entry::<String, &RawValue>()? {
                    match value.get() {
                        "null" => values.remove(&name),
                        _ => values.insert(name, value),
                    };
                    if values.len() > MAX_FIELDS {
                        return Err(serde::de::Error::custom("too many fields"));
                    }
                }
                Ok(Object(values))
            }
        }
        deserializer.deserialize_map(OfObject)
    }
}

#[cfg(test)]
mod tests {
    use super::{Error, Fields, Kind};

    #[test]
    fn what_has_one_meaning_is_taken() {
        let json = r#"{"n": "5", "f": 5.0, "big": 1e30, "yes": "True", "no": 0, "null": null,
                       "twice": 1, "twice": 2, "gone": 1, "gone": null}"#;
        let fields = Fields::of_body(json).unwrap();
        let whole = |name| fields.whole(&[name]).unwrap();
        assert_eq!((whole("n"), whole("f"), whole("twice")), (Some(5), Some(5), Some(2)));
        assert_eq!((whole("big"), whole("null"), whole("gone")), (Some(i64::MAX), None, None));
        assert_eq!(fields.flag(&["yes"]).unwrap(), Some(true));
        assert_eq!(fields.flag(&["no"]).unwrap(), Some(false));
    }

    #[test]
    fn what_has_none_is_refused_by_its_path() {
        let json = r#"{"a": [1, {"b": 1.5, "c": ["x", null]}], "d": "maybe", "e": 1, "f": 1}"#;
        let fields = Fields::of_body(json).unwrap();
        let list = fields.need(&["a"]).unwrap();
        let nested = |read: fn(Fields<'_>) -> Error| {
            let each = list.each("a list", |item| match item.kind() {
                Kind::Object => Err(read(item.object()?)),
                _ => Ok(()),
            });
            each.unwrap_err()
        };
        for (error, expected) in [
            (
                nested(|fields| fields.whole(&["b"]).unwrap_err()),
                "`a[1].b` must be a whole number. Given: a number",
            ),
            (
                nested(|fields| {
                    fields.need(&["c"]).unwrap().each("texts", |item| item.text()).unwrap_err()
                }),
                "`a[1].c[1]` must be a text. Given: null",
            ),
            (nested(|fields| fields.need(&["z"]).err().unwrap()), "`a[1].z` is missing"),
            (fields.flag(&["d"]).unwrap_err(), "`d` must be `true` or `false`. Given: a text"),
            (fields.whole(&["e", "f"]).unwrap_err(), "`f` says the same as `e`; send one"),
            (fields.count(&["e"], 2).unwrap_err(), "`e` must be at least 2. Given: 1"),
            (list.ids().unwrap_err(), "`a[1]` must be a token id. Given: an object"),
            (Fields::of_body("[1]").err().unwrap(), "`body` must be an object. Given: a list"),
        ] {
            assert_eq!(error.to_string(), expected);
        }
    }

    #[test]
    fn depth_and_many_fields_cost_nothing() {
        let deep = format!(r#"{{"x": {}1{}, "y": 1}}"#, "[".repeat(100_000), "]".repeat(100_000));
        assert!(Fields::of_body(&deep).unwrap().has("y"));
        let names: Vec<String> = (0..2000).map(|i| format!("\"{i}\": {i}")).collect();
        let error = Fields::of_body(&format!("{{{}}}", names.join(","))).err().unwrap();
        assert_eq!(error.to_string(), "`body` has more than 1000 fields");
    }
}
