//! Values of metadata: their types, and how each is read.

use crate::error::Fault;
use crate::header::Cursor;
use std::fmt;

/// A value, borrowed from the file.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Value<'f> {
    /// Of 8 to 64 bits.
    Unsigned(u64),
    /// Of 8 to 64 bits.
    Signed(i64),
    /// Of 32 bits.
    F32(f32),
    /// Of 64 bits.
    F64(f64),
    /// A truth value.
    Bool(bool),
    /// UTF-8.
    Text(&'f str),
    /// Values of one type.
    Array(Array<'f>),
}

/// The elements of an array, read one by one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Array<'f> {
    pub(crate) element: ValueType,
    pub(crate) length: usize,
    bytes: &'f [u8],
}

/// How a value is stored, by the specification's number for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ValueType {
    U8 = 0,
    I8 = 1,
    U16 = 2,
    I16 = 3,
    U32 = 4,
    I32 = 5,
    F32 = 6,
    Bool = 7,
    Text = 8,
    Array = 9,
    U64 = 10,
    I64 = 11,
    F64 = 12,
}

impl<'f> Value<'f> {
    /// A whole number from 0 on of any width.
    pub fn as_unsigned(self) -> Option<u64> {
        match self {
            Self::Unsigned(value) => Some(value),
            Self::Signed(value) => value.try_into().ok(),
            _ => None,
        }
    }

    /// A number of any type.
    pub fn as_number(self) -> Option<f64> {
        match self {
            Self::Unsigned(value) => Some(value as f64),
            Self::Signed(value) => Some(value as f64),
            Self::F32(value) => Some(value.into()),
            Self::F64(value) => Some(value),
            _ => None,
        }
    }
}

/// As messages show it.
impl fmt::Display for Value<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unsigned(value) => value.fmt(f),
            Self::Signed(value) => value.fmt(f),
            Self::F32(value) => value.fmt(f),
            Self::F64(value) => value.fmt(f),
            Self::Bool(value) => value.fmt(f),
            Self::Text(value) => f.write_str(value),
            Self::Array(array) => write!(f, "an array of {}", array.len()),
        }
    }
}

impl<'f> Array<'f> {
    /// How many elements there are.
    pub fn len(self) -> usize {
        self.length
    }

    /// Whether there is none.
    pub fn is_empty(self) -> bool {
        self.length == 0
    }

    /// The elements in their order.
    pub fn iter(self) -> impl Iterator<Item = Value<'f>> {
        let mut cursor = Cursor { bytes: self.bytes, at: 0 };
        (0..self.length).map(move |_| cursor.value(self.element))
    }
}

impl<'f> Cursor<'f> {
    /// A value that has been passed over once, when the file was opened.
    pub fn value(&mut self, value_type: ValueType) -> Value<'f> {
        fn checked<T>(part: Result<T, Fault>) -> T {
            part.expect("checked when the file was opened")
        }
        match value_type {
            ValueType::U8 => Value::Unsigned(u8::from_le_bytes(checked(self.array())).into()),
            ValueType::U16 => Value::Unsigned(u16::from_le_bytes(checked(self.array())).into()),
            ValueType::U32 => Value::Unsigned(u32::from_le_bytes(checked(self.array())).into()),
            ValueType::U64 => Value::Unsigned(u64::from_le_bytes(checked(self.array()))),
            ValueType::I8 => Value::Signed(i8::from_le_bytes(checked(self.array())).into()),
            ValueType::I16 => Value::Signed(i16::from_le_bytes(checked(self.array())).into()),
            ValueType::I32 => Value::Signed(i32::from_le_bytes(checked(self.array())).into()),
            ValueType::I64 => Value::Signed(i64::from_le_bytes(checked(self.array()))),
            ValueType::F32 => Value::F32(f32::from_le_bytes(checked(self.array()))),
            ValueType::F64 => Value::F64(f64::from_le_bytes(checked(self.array()))),
            ValueType::Bool => Value::Bool(checked(self.array()) == [1]),
            ValueType::Text => Value::Text(checked(self.text())),
            ValueType::Array => {
                let element = checked(self.value_type());
                let length = checked(self.length());
                let rest = &self.bytes[self.at..];
                let n_bytes = Array { element, length, bytes: rest }.n_bytes();
                Value::Array(Array { element, length, bytes: checked(self.take(n_bytes)) })
            }
        }
    }
}

impl Array<'_> {
    /// Bytes of all elements together.
    fn n_bytes(self) -> usize {
        if let Some(n_bytes) = self.element.size_bytes() {
            return n_bytes * self.length;
        }
        let mut cursor = Cursor { bytes: self.bytes, at: 0 };
        for _ in 0..self.length {
            cursor.value(self.element);
        }
        cursor.at
    }
}

impl ValueType {
    const ALL: [Self; 13] = [
        Self::U8,
        Self::I8,
        Self::U16,
        Self::I16,
        Self::U32,
        Self::I32,
        Self::F32,
        Self::Bool,
        Self::Text,
        Self::Array,
        Self::U64,
        Self::I64,
        Self::F64,
    ];

    pub fn from_number(number: u32) -> Option<Self> {
        Self::ALL.get(number as usize).copied()
    }

    /// Bytes of a value; `None`: they differ.
    pub fn size_bytes(self) -> Option<usize> {
        match self {
            Self::U8 | Self::I8 | Self::Bool => Some(1),
            Self::U16 | Self::I16 => Some(2),
            Self::U32 | Self::I32 | Self::F32 => Some(4),
            Self::U64 | Self::I64 | Self::F64 => Some(8),
            Self::Text | Self::Array => None,
        }
    }

    pub fn name(self) -> &'static str {
        match self {
            Self::U8 | Self::U16 | Self::U32 | Self::U64 => "an unsigned number",
            Self::I8 | Self::I16 | Self::I32 | Self::I64 => "a signed number",
            Self::F32 | Self::F64 => "a floating-point number",
            Self::Bool => "a truth value",
            Self::Text => "a text",
            Self::Array => "an array",
        }
    }
}
