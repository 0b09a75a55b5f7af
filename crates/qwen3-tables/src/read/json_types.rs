//! Types of the columns of JSON objects.
//!
//! JSON has numbers of any size, and a column has one type. So the type is one that holds each
//! whole number as it was written, and a number with a fraction as the nearest float64; if there
//! is none, the column can't be read, and says why.

use super::Problems;
use crate::causes::ColumnProblem;
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use serde_json::value::RawValue;
use std::collections::BTreeMap;
use std::mem::discriminant;
use std::sync::Arc;

/// Lists and objects in one another, at most.
const MAX_DEPTH: usize = 64;

/// The columns of objects, by their names.
#[derive(Default)]
pub(super) struct Columns(BTreeMap<String, Kind>);

/// What the values of a column have been so far.
#[derive(Default)]
enum Kind {
    #[default]
    Null,
    Scalar(Scalars),
    List(Box<Kind>),
    Object(Columns),
    Wrong(ColumnProblem),
}

/// Strings, numbers, true and false: together they are strings.
#[derive(Default)]
struct Scalars {
    has_strings: bool,
    has_booleans: bool,
    numbers: Option<Numbers>,
}

#[derive(Default)]
struct Numbers {
    has_fractions: bool,
    has_negatives: bool,
    /// The first that is too large for 64 bits with a sign, but not for those without.
    unsigned: Option<Seen>,
    /// The first whole one that is too large for either.
    beyond: Option<Seen>,
    /// The first that a float64 doesn't hold exactly.
    inexact: Option<Seen>,
}

/// A number, and the line that has it.
#[derive(Clone)]
struct Seen {
    number: String,
    line: u64,
}

/// Where a value is.
#[derive(Clone, Copy)]
struct Place {
    line: u64,
    depth: usize,
}

impl Columns {
    /// Learns from an object.
    pub fn see(&mut self, json: &str, line: u64) -> Result<(), serde_json::Error> {
        self.see_at(json, Place { line, depth: 0 })
    }

    fn see_at(&mut self, json: &str, place: Place) -> Result<(), serde_json::Error> {
        for (name, value) in serde_json::from_str::<BTreeMap<String, &RawValue>>(json)? {
            self.0.entry(name).or_default().see(value.get(), place)?;
        }
        Ok(())
    }

    /// The columns in the order of their names. One with a problem has the type null.
    pub fn schema(self) -> (SchemaRef, Problems) {
        let mut problems = Problems::new();
        let field = |(name, kind): (String, Kind)| {
            let data_type = kind.data_type().unwrap_or_else(|problem| {
                problems.insert(name.clone(), problem);
                DataType::Null
            });
            Field::new(name, data_type, true)
        };
        let fields: Vec<Field> = self.0.into_iter().map(field).collect();
        (Arc::new(Schema::new(fields)), problems)
    }
}

impl Kind {
    fn see(&mut self, json: &str, place: Place) -> Result<(), serde_json::Error> {
        let seen = match json.as_bytes() {
            [b'n', ..] => return Ok(()),
            [b'[', ..] => Self::List(Box::default()),
            [b'{', ..] => Self::Object(Columns::default()),
            _ => Self::Scalar(Scalars::default()),
        };
        let line = place.line;
        if matches!(self, Self::Null) {
            *self = seen;
        } else if !matches!(self, Self::Wrong(_)) && discriminant(self) != discriminant(&seen) {
            let (found, before) = (seen.in_words(), self.in_words());
            *self = Self::Wrong(ColumnProblem::Mixed { line, found, before });
        }
        if place.depth == MAX_DEPTH {
            *self = Self::Wrong(ColumnProblem::Deep { line, levels: MAX_DEPTH });
        }
        let deeper = Place { depth: place.depth + 1, ..place };
        match self {
            Self::Null | Self::Wrong(_) => Ok(()),
            Self::Scalar(scalars) => {
                scalars.see(json, line);
                Ok(())
            }
            Self::List(items) => {
                let seen: Vec<&RawValue> = serde_json::from_str(json)?;
                seen.into_iter().try_for_each(|item| items.see(item.get(), deeper))
            }
            Self::Object(columns) => columns.see_at(json, deeper),
        }
    }

    fn in_words(&self) -> &'static str {
        match self {
            Self::Null | Self::Wrong(_) => "nothing",
            Self::Scalar(_) => "a string, a number or a boolean",
            Self::List(_) => "a list",
            Self::Object(_) => "an object",
        }
    }

    fn data_type(self) -> Result<DataType, ColumnProblem> {
        Ok(match self {
            Self::Null => DataType::Null,
            Self::Scalar(scalars) => return scalars.data_type(),
            Self::List(items) => {
                DataType::List(Arc::new(Field::new_list_field(items.data_type()?, true)))
            }
            Self::Object(Columns(columns)) => {
                let field = |(name, kind): (String, Kind)| {
                    Ok::<_, ColumnProblem>(Field::new(name, kind.data_type()?, true))
                };
                DataType::Struct(columns.into_iter().map(field).collect::<Result<_, _>>()?)
            }
            Self::Wrong(problem) => return Err(problem),
        })
    }
}

impl Scalars {
    fn see(&mut self, json: &str, line: u64) {
        match json.as_bytes() {
            [b'"', ..] => self.has_strings = true,
            [b't' | b'f', ..] => self.has_booleans = true,
            _ => self.numbers.get_or_insert_default().see(json, line),
        }
    }

    fn data_type(self) -> Result<DataType, ColumnProblem> {
        match (self.has_strings, self.has_booleans, self.numbers) {
            (false, false, Some(numbers)) => numbers.data_type(),
            (false, true, None) => Ok(DataType::Boolean),
            _ => Ok(DataType::Utf8),
        }
    }
}

impl Numbers {
    fn see(&mut self, number: &str, line: u64) {
        let seen = || Seen { number: number.to_owned(), line };
        let float = number.parse::<f64>().unwrap_or(f64::INFINITY);
        if number.contains(['.', 'e', 'E']) {
            self.has_fractions = true;
            if !float.is_finite() {
                self.inexact.get_or_insert_with(seen);
            }
            return;
        }
        self.has_negatives |= number.starts_with('-');
        let whole = number.parse::<i128>().ok();
        let fits_signed = number.parse::<i64>().is_ok();
        if !fits_signed && number.parse::<u64>().is_ok() {
            self.unsigned.get_or_insert_with(seen);
        } else if !fits_signed {
            self.beyond.get_or_insert_with(seen);
        }
        if whole.is_none_or(|whole| float as i128 != whole) {
            self.inexact.get_or_insert_with(seen);
        }
    }

    fn data_type(self) -> Result<DataType, ColumnProblem> {
        let refused = |Seen { number, line }| Err(ColumnProblem::Number { number, line });
        match (self.has_fractions, self.beyond, self.unsigned) {
            (true, ..) => self.inexact.map_or(Ok(DataType::Float64), refused),
            (false, Some(beyond), _) => refused(beyond),
            (false, None, Some(unsigned)) if self.has_negatives => refused(unsigned),
            (false, None, Some(_)) => Ok(DataType::UInt64),
            (false, None, None) => Ok(DataType::Int64),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The type of the column `a` in these lines, or its problem.
    fn of(lines: &[&str]) -> Result<DataType, String> {
        let mut columns = Columns::default();
        for (line, number) in lines.iter().zip(1..) {
            columns.see(line, number).unwrap();
        }
        let (schema, mut problems) = columns.schema();
        match problems.remove("a") {
            Some(problem) => Err(problem.to_string()),
            None => Ok(schema.field_with_name("a").unwrap().data_type().clone()),
        }
    }

    #[track_caller]
    fn check(values: &[&str], expected: Result<DataType, &str>) {
        let lines: Vec<String> = values.iter().map(|value| format!("{{\"a\": {value}}}")).collect();
        let found = of(&lines.iter().map(String::as_str).collect::<Vec<_>>());
        match (&found, &expected) {
            (Err(found), Err(words)) => assert!(found.contains(words), "{values:?}: {found}"),
            _ => assert_eq!(found, expected.map_err(str::to_owned), "{values:?}"),
        }
    }

    #[test]
    fn a_type_holds_every_number_exactly_or_the_column_is_refused() {
        check(&["1", "null", "-9223372036854775808"], Ok(DataType::Int64));
        check(&["1", "18446744073709551615"], Ok(DataType::UInt64));
        check(&["-1", "18446744073709551615"], Err("18446744073709551615 in line 2"));
        check(&["18446744073709551616"], Err("18446744073709551616 in line 1"));
        check(&["1", "0.5", "9007199254740992"], Ok(DataType::Float64));
        check(&["9007199254740993", "0.5"], Err("9007199254740993 in line 1"));
        check(&["9007199254740993"], Ok(DataType::Int64));
        check(&["0.5", "1e999"], Err("1e999 in line 2"));
        check(&["18446744073709551616", "\"x\""], Ok(DataType::Utf8));
        let long = "9".repeat(60);
        check(&[&long], Err(&long));
        check(&["[1, 18446744073709551616]"], Err("in line 1"));
        check(&["{\"b\": [0.5, 9007199254740993]}"], Err("in line 1"));
    }

    #[test]
    fn columns_have_the_type_that_all_lines_show() {
        let list = |of| DataType::List(Arc::new(Field::new_list_field(of, true)));
        check(&["true", "false"], Ok(DataType::Boolean));
        check(&["true", "1"], Ok(DataType::Utf8));
        check(&["null"], Ok(DataType::Null));
        check(&["[]", "[[1]]"], Ok(list(list(DataType::Int64))));
        let object = ["b", "c"].map(|name| Field::new(name, DataType::Int64, true));
        check(&["{\"c\": 1}", "{\"b\": 2}"], Ok(DataType::Struct(object.to_vec().into())));
        check(&["1", "[1]"], Err("a list in line 2, and a string, a number or a boolean before"));
        check(&["{}", "null", "\"x\""], Err("in line 3, and an object before"));
    }

    #[test]
    fn values_that_are_nested_without_end_are_refused() {
        let nested = |levels| "[".repeat(levels) + &"]".repeat(levels);
        assert!(of(&[&format!("{{\"a\": {}}}", nested(60))]).is_ok());
        check(&[&nested(100_000)], Err("64 levels"));
    }
}
