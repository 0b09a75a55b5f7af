//! The header: a magic number, counts, metadata and the table of tensors.
//!
//! ```text
//!  4 bytes   GGUF
//!  u32       version
//!  u64       number of tensors
//!  u64       number of metadata entries
//!  entries   key, u32 type, value
//!  tensors   name, u32 number of dimensions, u64 each, u32 format, u64 offset
//!  padding   up to a multiple of `general.alignment`, where the tensors' bytes begin
//! ```
//!
//! A text is its length as u64 and its bytes; an array is u32 type, u64 length, elements.

use crate::error::Fault;
use crate::metadata::{Entries, Entry};
use crate::tensors::RawTensor;
use crate::value::ValueType;
use std::ops::Range;

/// No model's header is longer: 262,144 tokens and their merges take 15 MB.
const MAX_HEADER_BYTES: usize = 128 << 20;
/// The specification's limit for keys; ggml's for names of tensors is 64.
const MAX_NAME_BYTES: usize = 65_535;
/// A model of 36 layers has 400 tensors and 40 entries.
const MAX_COUNT: u64 = 65_536;
const MAX_NESTING: usize = 4;
const MAX_DIMENSIONS: u32 = 4;
/// Where the file doesn't say another.
const ALIGNMENT: u64 = 32;

/// What a file says of itself.
pub struct Header {
    pub entries: Entries,
    pub tensors: Vec<RawTensor>,
    /// Where the tensors' bytes are; empty if the header is at the end of the file.
    pub data: Range<usize>,
    pub alignment: usize,
}

impl Header {
    /// Reads what follows the version.
    pub fn read(file: &[u8], at: usize) -> Result<Self, Fault> {
        let bytes = &file[..file.len().min(MAX_HEADER_BYTES)];
        Self::read_all(Cursor { bytes, at }, file.len()).map_err(|fault| match fault {
            Fault::End { .. } if bytes.len() < file.len() => {
                Fault::LongHeader { max_bytes: MAX_HEADER_BYTES }
            }
            fault => fault,
        })
    }

    fn read_all(mut cursor: Cursor, file_bytes: usize) -> Result<Self, Fault> {
        let n_tensors = cursor.count("tensors")?;
        let n_entries = cursor.count("metadata entries")?;
        let mut entries = Entries::new();
        for _ in 0..n_entries {
            let (key, entry) = cursor.entry()?;
            if entries.contains_key(key) {
                return Err(Fault::KeyTwice { key: key.to_owned() });
            }
            entries.insert(key.to_owned(), entry);
        }
        let tensors = (0..n_tensors).map(|_| cursor.tensor()).collect::<Result<Vec<_>, _>>()?;
        let alignment = alignment(cursor.bytes, &entries)?;
        let data = cursor.at.next_multiple_of(alignment)..file_bytes;
        Ok(Self { entries, tensors, data, alignment })
    }
}

fn alignment(bytes: &[u8], entries: &Entries) -> Result<usize, Fault> {
    let found = match entries.get("general.alignment") {
        None => ALIGNMENT,
        Some(entry) => entry.unsigned(bytes).unwrap_or(0),
    };
    // A file has at most that many bytes, so that no sum overflows.
    let is_possible = found.is_power_of_two() && found <= u64::from(u32::MAX >> 1);
    match usize::try_from(found) {
        Ok(alignment) if is_possible => Ok(alignment),
        _ => Err(Fault::Alignment { found }),
    }
}

/// A place in a file, from which on it is read. Never beyond its end.
pub struct Cursor<'f> {
    pub bytes: &'f [u8],
    pub at: usize,
}

impl<'f> Cursor<'f> {
    pub fn take(&mut self, n_bytes: usize) -> Result<&'f [u8], Fault> {
        let taken = self.bytes[self.at..].get(..n_bytes);
        let taken = taken.ok_or(Fault::End { at: self.bytes.len() })?;
        self.at += n_bytes;
        Ok(taken)
    }

    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], Fault> {
        Ok(self.take(N)?.try_into().expect("as many as were asked for"))
    }

    pub fn u32(&mut self) -> Result<u32, Fault> {
        Ok(u32::from_le_bytes(self.array()?))
    }

    pub fn u64(&mut self) -> Result<u64, Fault> {
        Ok(u64::from_le_bytes(self.array()?))
    }

    /// A length that may be a lie: whoever uses it takes that many bytes at least.
    pub fn length(&mut self) -> Result<usize, Fault> {
        // Beyond the largest number there is no file that has so many.
        Ok(usize::try_from(self.u64()?).unwrap_or(usize::MAX))
    }

    pub fn text(&mut self) -> Result<&'f str, Fault> {
        let n_bytes = self.length()?;
        let at = self.at;
        std::str::from_utf8(self.take(n_bytes)?).map_err(|_| Fault::Utf8 { at })
    }

    pub fn value_type(&mut self) -> Result<ValueType, Fault> {
        let at = self.at;
        let found = self.u32()?;
        ValueType::from_number(found).ok_or(Fault::ValueType { at, found })
    }

    fn name(&mut self) -> Result<&'f str, Fault> {
        let at = self.at;
        let name = self.text()?;
        match name.len() <= MAX_NAME_BYTES {
            true => Ok(name),
            false => Err(Fault::LongName { at, max_bytes: MAX_NAME_BYTES }),
        }
    }

    fn count(&mut self, what: &'static str) -> Result<u64, Fault> {
        match self.u64()? {
            found if found > MAX_COUNT => Err(Fault::TooMany { what, found, max: MAX_COUNT }),
            count => Ok(count),
        }
    }

    fn entry(&mut self) -> Result<(&'f str, Entry), Fault> {
        let key = self.name()?;
        let value_type = self.value_type()?;
        let start = self.at;
        self.pass(value_type, 0)?;
        Ok((key, Entry { value_type, bytes: start..self.at }))
    }

    /// Goes beyond a value, of which every byte is looked at that can be wrong.
    fn pass(&mut self, value_type: ValueType, depth: usize) -> Result<(), Fault> {
        match (value_type, value_type.size_bytes()) {
            (ValueType::Bool, _) => {
                let at = self.at;
                match self.array()? {
                    [0 | 1] => Ok(()),
                    [found] => Err(Fault::Bool { at, found }),
                }
            }
            (_, Some(n_bytes)) => self.take(n_bytes).map(drop),
            (ValueType::Array, None) if depth == MAX_NESTING => {
                Err(Fault::Nesting { at: self.at, max: MAX_NESTING })
            }
            (ValueType::Array, None) => {
                let element = self.value_type()?;
                let length = self.length()?;
                match element.size_bytes() {
                    Some(n_bytes) if element != ValueType::Bool => {
                        self.take(n_bytes.saturating_mul(length)).map(drop)
                    }
                    // Each takes a byte at least, so the end of the file ends this.
                    _ => (0..length).try_for_each(|_| self.pass(element, depth + 1)),
                }
            }
            (_, None) => self.text().map(drop),
        }
    }

    fn tensor(&mut self) -> Result<RawTensor, Fault> {
        let name = self.name()?.to_owned();
        let found = self.u32()?;
        if !(1..=MAX_DIMENSIONS).contains(&found) {
            return Err(Fault::Dimensions { name, found });
        }
        let dimensions = (0..found).map(|_| self.u64()).collect::<Result<_, _>>()?;
        Ok(RawTensor { name, dimensions, format: self.u32()?, offset: self.u64()? })
    }
}
