//! The text of a row.

use crate::error::TableError;
use crate::read::Table;
use crate::schema::texts_of;
use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, RecordBatch};
use arrow_cast::cast;
use arrow_schema::DataType;
use std::fmt;

/// Which columns make a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TextColumns {
    /// One, as it is.
    Column(String),
    /// Several, with something between them.
    Template {
        /// As it was typed.
        source: String,
        /// Its parts in order.
        parts: Vec<TemplatePart>,
    },
}

/// A part of a template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TemplatePart {
    /// Put into the text as it is.
    Text(String),
    /// The value of a column.
    Column(String),
}

/// Texts of a batch, `None` where a row has none.
pub type Texts = Vec<Option<String>>;

impl fmt::Display for TextColumns {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Column(name) => write!(f, "column {name}"),
            Self::Template { source, .. } => write!(f, "template {source}"),
        }
    }
}

impl TextColumns {
    /// The column `text`, or else the only one that has texts.
    ///
    /// # Errors
    /// If there are several others, or none.
    pub fn guess(table: &Table) -> Result<Self, TableError> {
        let is_text =
            |name: &String| table.field(name).is_ok_and(|it| texts_of(it.data_type()).is_some());
        let columns: Vec<String> =
            table.schema().fields().iter().map(|it| it.name().clone()).collect();
        let texts: Vec<&String> = columns.iter().filter(|name| is_text(name)).collect();
        match texts[..] {
            _ if columns.iter().any(|name| name == "text") => Ok(Self::Column("text".to_owned())),
            [only] => Ok(Self::Column(only.clone())),
            _ => Err(TableError::WhichColumn { path: table.path().to_owned(), columns }),
        }
    }

    /// Reads a template such as `{title}\n{body}`: names of columns in braces, `\n`, `\t` and `\\`
    /// for a line break, a tab and a backslash, `{{` and `}}` for braces.
    ///
    /// # Errors
    /// If it names no column, or a brace or backslash stands alone.
    pub fn template(source: &str) -> Result<Self, TableError> {
        let mut parts = vec![];
        let mut text = String::new();
        let mut rest = source;
        while let Some((part, after)) = next_part(rest).map_err(|reason| TableError::Template {
            template: source.to_owned(),
            reason: reason.to_owned(),
        })? {
            match part {
                TemplatePart::Text(more) => text.push_str(&more),
                TemplatePart::Column(_) => {
                    parts.push(TemplatePart::Text(std::mem::take(&mut text)));
                    parts.push(part);
                }
            }
            rest = after;
        }
        parts.push(TemplatePart::Text(text));
        parts.retain(|part| *part != TemplatePart::Text(String::new()));
        match parts.iter().any(|part| matches!(part, TemplatePart::Column(_))) {
            true => Ok(Self::Template { source: source.to_owned(), parts }),
            false => Err(TableError::Template {
                template: source.to_owned(),
                reason: "names no column; write a column's name in braces, as in `{title}`"
                    .to_owned(),
            }),
        }
    }

    /// The columns that are needed.
    pub fn columns(&self) -> Vec<String> {
        match self {
            Self::Column(name) => vec![name.clone()],
            Self::Template { parts, .. } => {
                let names = parts.iter().filter_map(|part| match part {
                    TemplatePart::Column(name) => Some(name.clone()),
                    TemplatePart::Text(_) => None,
                });
                names.collect()
            }
        }
    }

    /// The texts of a batch. A row of a template has none if none of its columns has a value.
    ///
    /// # Errors
    /// If a column isn't there, or holds no texts; a template takes anything that can be written.
    pub fn texts(&self, batch: &RecordBatch) -> Result<Texts, TableError> {
        match self {
            Self::Column(name) => {
                let column = strings(batch, name, |found| texts_of(found).is_some())?;
                let values = column.as_string::<i64>().iter();
                Ok(values.map(|value| value.map(str::to_owned)).collect())
            }
            Self::Template { parts, .. } => {
                let mut texts: Vec<(bool, String)> = vec![(false, String::new()); batch.num_rows()];
                for part in parts {
                    put(part, batch, &mut texts)?;
                }
                Ok(texts.into_iter().map(|(has_value, text)| has_value.then_some(text)).collect())
            }
        }
    }
}

/// What a template begins with, and the rest of it; `None`: it has ended.
fn next_part(template: &str) -> Result<Option<(TemplatePart, &str)>, &'static str> {
    let Some(letter) = template.chars().next() else { return Ok(None) };
    let text = |text: &str, length: usize| {
        Ok(Some((TemplatePart::Text(text.to_owned()), &template[length..])))
    };
    match template {
        _ if template.starts_with("{{") => text("{", 2),
        _ if template.starts_with("}}") => text("}", 2),
        _ if template.starts_with(r"\n") => text("\n", 2),
        _ if template.starts_with(r"\t") => text("\t", 2),
        _ if template.starts_with(r"\\") => text(r"\", 2),
        _ if letter == '}' => Err("has a `}` without its `{`; write `}}` for a brace"),
        _ if letter == '\\' => Err(r"has a `\` before something else than `n`, `t` or `\`"),
        _ if letter == '{' => match template[1..].split_once('}') {
            Some((name, rest)) if !name.is_empty() => {
                Ok(Some((TemplatePart::Column(name.to_owned()), rest)))
            }
            _ => Err("has a `{` without a name and `}` behind it; write `{{` for a brace"),
        },
        _ => text(&template[..letter.len_utf8()], letter.len_utf8()),
    }
}

/// Adds a part to each text, and tells of those that got a value by it.
fn put(
    part: &TemplatePart,
    batch: &RecordBatch,
    texts: &mut [(bool, String)],
) -> Result<(), TableError> {
    match part {
        TemplatePart::Text(between) => {
            texts.iter_mut().for_each(|(_, text)| text.push_str(between))
        }
        TemplatePart::Column(name) => {
            let column = strings(batch, name, |found| !found.is_nested())?;
            for ((has_value, text), value) in texts.iter_mut().zip(column.as_string::<i64>()) {
                *has_value |= value.is_some();
                text.push_str(value.unwrap_or_default());
            }
        }
    }
    Ok(())
}

/// A column as strings.
fn strings(
    batch: &RecordBatch,
    name: &str,
    is_right: impl Fn(&DataType) -> bool,
) -> Result<ArrayRef, TableError> {
    let no_texts = |found: &DataType| TableError::NoTexts {
        column: name.to_owned(),
        found: Box::new(found.clone()),
    };
    let column = batch.column_by_name(name).ok_or_else(|| no_texts(&DataType::Null))?;
    let found = column.data_type();
    // A column without any value tells no type.
    if !is_right(found) && *found != DataType::Null {
        return Err(no_texts(found));
    }
    cast(column, &DataType::LargeUtf8).map_err(|_| no_texts(found))
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow_array::{Int64Array, StringArray};
    use std::sync::Arc;

    fn batch() -> RecordBatch {
        let columns: [(&str, ArrayRef); 3] = [
            ("title", Arc::new(StringArray::from(vec![Some("a"), None, None]))),
            ("body", Arc::new(StringArray::from(vec![Some("b"), Some("c"), None]))),
            ("n", Arc::new(Int64Array::from(vec![Some(7), None, None]))),
        ];
        RecordBatch::try_from_iter(columns).unwrap()
    }

    #[test]
    fn a_template_puts_values_between_its_words() {
        let texts =
            |template: &str| TextColumns::template(template).unwrap().texts(&batch()).unwrap();
        assert_eq!(
            texts(r"{title}\n{body}"),
            [Some("a\nb".to_owned()), Some("\nc".to_owned()), None]
        );
        assert_eq!(texts(r"{{{n}}} \\ {n}\t")[0].as_deref(), Some("{7} \\ 7\t"));
    }

    #[test]
    fn a_template_that_is_none_says_why() {
        for (template, reason) in [
            ("words", "names no column"),
            ("{", "without a name"),
            ("{}", "without a name"),
            ("{a", "without a name"),
            ("a}", "without its `{`"),
            (r"{a}\x", "before something else"),
            (r"{a}\", "before something else"),
        ] {
            let error = TextColumns::template(template).unwrap_err().to_string();
            assert!(error.contains(reason), "{template}: {error}");
        }
    }

    #[test]
    fn a_column_of_numbers_is_no_text_but_may_be_in_a_template() {
        let column = TextColumns::Column("n".to_owned());
        let error = column.texts(&batch()).unwrap_err().to_string();
        assert_eq!(error, "column `n` has values of the type Int64, not texts");
    }
}
