//! Vectors in the database, in 16 bits a dimension. The upper eight are read at the start, and
//! searched in memory. The lower eight are read for the best of those alone.

use super::{NUMBERS, Store, StoreError, damaged};
use redb::{ReadableTable, TableDefinition, WriteTransaction};
use xxhash_rust::xxh3::xxh3_64;

/// By the number of the model and the passage.
const CODES: TableDefinition<(u32, u128), &[u8]> = TableDefinition::new("codes");
const RESTS: TableDefinition<(u32, u128), &[u8]> = TableDefinition::new("rests");
/// The numbers of models, by what their vectors depend on.
const MODELS: TableDefinition<&str, u32> = TableDefinition::new("models");
/// The model whose vectors answer, in `NUMBERS`.
const ANSWERING: &str = "answering";

/// Parts of a code that the rest tells apart: half a code is 127 of them.
const PARTS: f32 = 254.0;

/// A vector in eight bits a dimension, and what these leave over in eight more.
#[derive(Clone, Debug, PartialEq)]
pub struct Code {
    pub scale: f32,
    pub numbers: Vec<i8>,
    rest: Vec<i8>,
}

impl Code {
    pub fn new(vector: &[f32]) -> Self {
        let most = vector.iter().fold(0f32, |most, x| most.max(x.abs()));
        let scale = if most > 0.0 { most / 127.0 } else { 1.0 };
        let numbers: Vec<i8> = vector.iter().map(|x| (x / scale).round() as i8).collect();
        let rest = vector.iter().zip(&numbers).map(|(x, &number)| {
            let left_over = x / scale - f32::from(number);
            (left_over * PARTS).round() as i8
        });
        Self { rest: rest.collect(), scale, numbers }
    }

    /// As it is kept: the scale and the numbers, and apart from them the rest.
    fn bytes(&self) -> (Vec<u8>, Vec<u8>) {
        let numbers = self.numbers.iter().map(|number| number.cast_unsigned());
        let code = self.scale.to_le_bytes().into_iter().chain(numbers);
        (sealed(code), sealed(self.rest.iter().map(|number| number.cast_unsigned())))
    }
}

/// The bytes, and a hash by which a change of them is seen.
fn sealed(bytes: impl Iterator<Item = u8>) -> Vec<u8> {
    let mut bytes: Vec<u8> = bytes.collect();
    let seal = xxh3_64(&bytes).to_le_bytes();
    bytes.extend(seal);
    bytes
}

fn opened(bytes: &[u8]) -> Result<&[u8], StoreError> {
    let opened =
        bytes.split_last_chunk().filter(|(bytes, seal)| xxh3_64(bytes).to_le_bytes() == **seal);
    Ok(opened.ok_or_else(|| damaged("a vector was changed"))?.0)
}

/// The scale and the numbers of a code.
fn parts(code: &[u8]) -> Result<(f32, &[u8]), StoreError> {
    let (scale, numbers) =
        opened(code)?.split_first_chunk().ok_or_else(|| damaged("a vector is too short"))?;
    Ok((f32::from_le_bytes(*scale), numbers))
}

/// The vector of what is kept.
fn vector(code: &[u8], rest: &[u8]) -> Result<Vec<f32>, StoreError> {
    let (scale, numbers) = parts(code)?;
    let number = |byte: &u8| f32::from(byte.cast_signed());
    let both = numbers.iter().zip(opened(rest)?);
    Ok(both.map(|(code, rest)| (number(code) + number(rest) / PARTS) * scale).collect())
}

pub(super) fn begin(write: &WriteTransaction) -> Result<(), StoreError> {
    write.open_table(CODES)?;
    write.open_table(RESTS)?;
    write.open_table(MODELS)?;
    Ok(())
}

/// Takes the vectors of passages away, whatever model they are of.
pub(super) fn forget(write: &WriteTransaction, passages: &[u128]) -> Result<(), StoreError> {
    let (mut codes, mut rests) = (write.open_table(CODES)?, write.open_table(RESTS)?);
    let models = write.open_table(MODELS)?;
    for entry in models.iter()? {
        let model = entry?.1.value();
        for &passage in passages {
            codes.remove((model, passage))?;
            rests.remove((model, passage))?;
        }
    }
    Ok(())
}

impl Store {
    /// The number of a model. One that is new gets the next.
    pub fn model(&self, description: &str) -> Result<u32, StoreError> {
        let known = self.read(|read| {
            let number = read.open_table(MODELS)?.get(description)?;
            Ok(number.map(|number| number.value()))
        })?;
        if let Some(number) = known {
            return Ok(number);
        }
        let mut number = 0;
        self.write(|write| {
            let mut models = write.open_table(MODELS)?;
            let highest = models.iter()?.filter_map(|entry| Some(entry.ok()?.1.value())).max();
            number = highest.map_or(0, |highest| highest + 1);
            models.insert(description, number)?;
            Ok(())
        })?;
        Ok(number)
    }

    /// What the vectors of a model depend on.
    pub fn description(&self, model: u32) -> Result<Option<String>, StoreError> {
        self.read(|read| {
            for entry in read.open_table(MODELS)?.iter()? {
                let (description, number) = entry?;
                if number.value() == model {
                    return Ok(Some(description.value().to_owned()));
                }
            }
            Ok(None)
        })
    }

    /// The model whose vectors answer, if there is one.
    pub fn answering(&self) -> Result<Option<u32>, StoreError> {
        self.read(|read| {
            let number = read.open_table(NUMBERS)?.get(ANSWERING)?;
            Ok(number.map(|number| number.value() as u32))
        })
    }

    /// Lets a model answer, and forgets the vectors of all others.
    pub fn answer_with(&self, model: u32) -> Result<(), StoreError> {
        self.write(|write| {
            write.open_table(NUMBERS)?.insert(ANSWERING, u64::from(model))?;
            let is_kept = |(of, _): (u32, u128)| of == model;
            write.open_table(CODES)?.retain(|key, _| is_kept(key))?;
            write.open_table(RESTS)?.retain(|key, _| is_kept(key))?;
            write.open_table(MODELS)?.retain(|_, number| number == model)?;
            Ok(())
        })
    }

    pub fn put_vectors(&self, model: u32, vectors: &[(u128, Vec<f32>)]) -> Result<(), StoreError> {
        self.write(|write| {
            let mut codes = write.open_table(CODES)?;
            let mut rests = write.open_table(RESTS)?;
            for (passage, vector) in vectors {
                let (code, rest) = Code::new(vector).bytes();
                codes.insert((model, *passage), code.as_slice())?;
                rests.insert((model, *passage), rest.as_slice())?;
            }
            Ok(())
        })
    }

    /// Every code of a model, in the order of the passages' keys.
    pub fn codes(
        &self,
        model: u32,
        mut each: impl FnMut(u128, f32, &[u8]),
    ) -> Result<(), StoreError> {
        self.read(|read| {
            let codes = read.open_table(CODES)?;
            for entry in codes.range((model, 0)..=(model, u128::MAX))? {
                let (key, value) = entry?;
                let (scale, numbers) = parts(value.value())?;
                each(key.value().1, scale, numbers);
            }
            Ok(())
        })
    }

    /// The vectors of these passages that are there.
    pub fn vectors(&self, model: u32, keys: &[u128]) -> Result<Vec<Option<Vec<f32>>>, StoreError> {
        self.read(|read| {
            let (codes, rests) = (read.open_table(CODES)?, read.open_table(RESTS)?);
            let vector_of = |key: &u128| {
                let (code, rest) = (codes.get((model, *key))?, rests.get((model, *key))?);
                let both = code.zip(rest);
                both.map(|(code, rest)| vector(code.value(), rest.value())).transpose()
            };
            keys.iter().map(vector_of).collect()
        })
    }
}
