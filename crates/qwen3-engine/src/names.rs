//! Names of values as they are typed and shown, in tables that are read both ways.

/// A name that stands for nothing.
#[derive(Debug, thiserror::Error)]
#[error("`{name}` is none of {known}")]
#[non_exhaustive]
pub struct UnknownName {
    /// The name as it was given.
    pub name: String,
    /// The names there are, separated by commas.
    pub known: String,
}

pub(crate) fn name_of<T: PartialEq>(table: &[(T, &'static str)], value: T) -> &'static str {
    let row = table.iter().find(|(known, _)| *known == value);
    row.expect("the table has a row for every variant").1
}

pub(crate) fn named<T: Copy>(table: &[(T, &str)], name: &str) -> Result<T, UnknownName> {
    table.iter().find(|(_, known)| *known == name).map(|(value, _)| *value).ok_or_else(|| {
        let known: Vec<&str> = table.iter().map(|(_, known)| *known).collect();
        UnknownName { name: name.to_owned(), known: known.join(", ") }
    })
}

/// `Display` and `FromStr` of an enum by a table of its names.
macro_rules! named_by {
    ($type:ty, $table:ident) => {
        impl std::fmt::Display for $type {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad($crate::names::name_of(&$table, *self))
            }
        }

        impl std::str::FromStr for $type {
            type Err = $crate::names::UnknownName;

            fn from_str(name: &str) -> Result<Self, Self::Err> {
                $crate::names::named(&$table, name)
            }
        }
    };
}
pub(crate) use named_by;
