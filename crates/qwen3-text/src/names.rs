//! Enums by their names, as they are typed.

/// The name of `value`; the table has a row for every variant.
pub fn name_of<T: PartialEq>(table: &[(T, &'static str)], value: T) -> &'static str {
    let row = table.iter().find(|(known, _)| *known == value);
    row.expect("the table has a row for every variant").1
}

/// The value of this name.
pub fn named<T: Copy>(table: &[(T, &str)], name: &str) -> Option<T> {
    table.iter().find(|(_, known)| *known == name).map(|(value, _)| *value)
}
