//! How [`Inputs`] are read. Bodies can hold a million token ids, so nothing is
//! kept of them but the ids, which `untagged` would keep as values twice.

use super::{InputItem, Inputs};
use serde::de::{
    Deserialize, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Unexpected, Visitor,
};
use std::collections::BTreeSet;
use std::fmt;

/// No request has so many fields; of others nothing is kept.
const MAX_FIELDS: usize = 64;

/// The names of an object's fields that have a value.
pub struct Fields(pub BTreeSet<String>);

impl<'de> Deserialize<'de> for Fields {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct OfFields;
        impl<'de> Visitor<'de> for OfFields {
            type Value = Fields;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fields, A::Error> {
                let mut names = BTreeSet::new();
                while let Some((name, value)) = map.next_entry::<String, Option<IgnoredAny>>()? {
                    if value.is_some() && names.len() < MAX_FIELDS {
                        names.insert(name);
                    }
                }
                Ok(Fields(names))
            }
        }
        deserializer.deserialize_map(OfFields)
    }
}

impl Inputs {
    /// How many there are.
    pub fn count(&self) -> usize {
        match self {
            Self::One(_) => 1,
            Self::Many(items) => items.len(),
        }
    }
}

/// What may stand in a list.
enum Element {
    Id(u32),
    Item(InputItem),
}

impl<'de> Deserialize<'de> for Inputs {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct OfInputs;
        impl<'de> Visitor<'de> for OfInputs {
            type Value = Inputs;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string, token ids, or a list of either")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Inputs, E> {
                Ok(Inputs::One(InputItem::Text(text.to_owned())))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Inputs, A::Error> {
                match list.next_element()? {
                    None => Ok(Inputs::Many(vec![])),
                    Some(Element::Id(id)) => Ok(Inputs::One(ids(vec![id], list)?)),
                    Some(Element::Item(item)) => {
                        let mut items = vec![item];
                        while let Some(item) = list.next_element()? {
                            items.push(item);
                        }
                        Ok(Inputs::Many(items))
                    }
                }
            }
        }
        deserializer.deserialize_any(OfInputs)
    }
}

impl<'de> Deserialize<'de> for InputItem {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Element::deserialize(deserializer)? {
            Element::Item(item) => Ok(item),
            Element::Id(id) => {
                let found = Unexpected::Unsigned(id.into());
                Err(D::Error::invalid_type(found, &"a string or a list of token ids"))
            }
        }
    }
}

impl<'de> Deserialize<'de> for Element {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct OfElement;
        impl<'de> Visitor<'de> for OfElement {
            type Value = Element;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string, a token id, or a list of token ids")
            }

            fn visit_u64<E: Error>(self, id: u64) -> Result<Element, E> {
                let id = u32::try_from(id);
                let no_id =
                    |_| E::invalid_value(Unexpected::Other("a large number"), &"a token id");
                Ok(Element::Id(id.map_err(no_id)?))
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Element, E> {
                Ok(Element::Item(InputItem::Text(text.to_owned())))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<Element, A::Error> {
                Ok(Element::Item(ids(vec![], list)?))
            }
        }
        deserializer.deserialize_any(OfElement)
    }
}

fn ids<'de, A: SeqAccess<'de>>(mut ids: Vec<u32>, mut list: A) -> Result<InputItem, A::Error> {
    while let Some(id) = list.next_element()? {
        ids.push(id);
    }
    Ok(InputItem::Ids(ids))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> String {
        match serde_json::from_str::<Inputs>(json) {
            Ok(inputs) => format!("{inputs:?}"),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn inputs_are_texts_or_ids_or_a_list_of_either() {
        assert_eq!(read(r#""a""#), r#"One(Text("a"))"#);
        assert_eq!(read("[1, 2]"), "One(Ids([1, 2]))");
        assert_eq!(read("[]"), "Many([])");
        assert_eq!(read(r#"["a", [1], []]"#), r#"Many([Text("a"), Ids([1]), Ids([])])"#);
    }

    #[test]
    fn what_is_no_input_is_named_with_its_place() {
        for (json, expected) in [
            ("3", "invalid type: integer `3`, expected a string, token ids, or a list of either"),
            ("null", "invalid type: null, expected a string, token ids, or a list of either"),
            (r#"["a", 3]"#, "invalid type: integer `3`, expected a string or a list of token ids"),
            (r#"[3, "a"]"#, "invalid type: string \"a\", expected u32"),
            ("[-1]", "invalid type: integer `-1`, expected a string, a token id"),
            ("[[4294967296]]", "invalid value: integer `4294967296`, expected u32"),
            ("[4294967296]", "invalid value: a large number, expected a token id"),
            (r#"["a""#, "EOF while parsing a list at line 1 column 4"),
        ] {
            assert!(read(json).starts_with(expected), "{json}: {}", read(json));
        }
    }
}
