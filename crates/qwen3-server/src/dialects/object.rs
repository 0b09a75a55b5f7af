//! A JSON object, read without making anything of its values.

use serde::Deserialize;
use serde::de::{MapAccess, Visitor};
use serde_json::value::RawValue;
use std::collections::BTreeMap;
use std::fmt;

/// Fields of an object beyond which nobody has written it for us.
pub const MAX_FIELDS: usize = 1000;

/// An object's fields but those that are `null`; of two of one name the last, as
/// most readers of JSON have it.
pub struct Object<'a>(pub BTreeMap<String, &'a RawValue>);

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
