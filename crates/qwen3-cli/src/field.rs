//! One field of a JSON object, and nothing kept of the others: a line may be long.

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;
use std::fmt;

/// The string in a field of the object that `json` is; `None`: there is none.
///
/// # Errors
/// If it is not JSON.
pub fn string(json: &str, field: &str) -> Result<Option<String>, serde_json::Error> {
    let mut reader = serde_json::Deserializer::from_str(json);
    let found = match Field(field).deserialize(&mut reader) {
        // JSON, but no object.
        Err(error) if error.is_data() => return Ok(None),
        found => found?,
    };
    reader.end()?;
    Ok(found.and_then(|value| serde_json::from_str(value.get()).ok()))
}

/// The field of this name.
struct Field<'a>(&'a str);

impl<'de> DeserializeSeed<'de> for Field<'_> {
    type Value = Option<&'de RawValue>;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Self::Value, D::Error> {
        json.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Field<'_> {
    type Value = Option<&'de RawValue>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut found = None;
        while let Some(name) = map.next_key::<String>()? {
            match name == self.0 {
                // Of two of a name the last counts, as in other programs.
                true => found = Some(map.next_value()?),
                false => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_string_of_a_field_is_found_among_anything() {
        let check = |json: &str, expected: Option<&str>| {
            assert_eq!(string(json, "t").unwrap().as_deref(), expected, "{json}");
        };
        check(r#"{"a": [1, {"t": "no"}], "t": "y\u00e9s", "b": {"t": null}}"#, Some("yés"));
        check(r#"{"t": "first", "t": "last"} "#, Some("last"));
        for other in ["null", "true", "-1", "0.5", "[\"t\"]", "{}"] {
            check(other, None);
            check(&format!("{{\"t\": {other}}}"), None);
        }
        for broken in ["", "{", "{\"t\": \"a\"} x", "{\"t\": \"a\", }"] {
            assert!(string(broken, "t").is_err(), "{broken}");
        }
    }
}
