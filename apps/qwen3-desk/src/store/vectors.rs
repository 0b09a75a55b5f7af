//! Vectors in the database, twice: as small codes, which are all read at the start and
//! searched in memory, and in float16, of which the best are looked at again.

use super::{NUMBERS, Store, StoreError};
use half::f16;
use half::slice::HalfFloatSliceExt;
use redb::{ReadableTable, TableDefinition, WriteTransaction};

/// By the number of the model and the passage.
const CODES: TableDefinition<(u32, u128), &[u8]> = TableDefinition::new("codes");
const VECTORS: TableDefinition<(u32, u128), &[u8]> = TableDefinition::new("vectors");
/// The numbers of models, by what their vectors depend on.
const MODELS: TableDefinition<&str, u32> = TableDefinition::new("models");
/// The model whose vectors answer, in `NUMBERS`.
const ANSWERING: &str = "answering";

/// A vector in eight bits a dimension.
#[derive(Clone, Debug, PartialEq)]
pub struct Code {
    pub scale: f32,
    pub numbers: Vec<i8>,
}

impl Code {
    pub fn new(vector: &[f32]) -> Self {
        let most = vector.iter().fold(0f32, |most, x| most.max(x.abs()));
        let scale = if most > 0.0 { most / 127.0 } else { 1.0 };
        let numbers = vector.iter().map(|x| (x / scale).round() as i8).collect();
        Self { scale, numbers }
    }

    fn bytes(&self) -> Vec<u8> {
        let numbers = self.numbers.iter().map(|number| number.cast_unsigned());
        self.scale.to_le_bytes().into_iter().chain(numbers).collect()
    }
}

pub(super) fn begin(write: &WriteTransaction) -> Result<(), StoreError> {
    write.open_table(CODES)?;
    write.open_table(VECTORS)?;
    write.open_table(MODELS)?;
    Ok(())
}

/// Takes the vectors of passages away, whatever model they are of.
pub(super) fn forget(write: &WriteTransaction, passages: &[u128]) -> Result<(), StoreError> {
    let (mut codes, mut vectors) = (write.open_table(CODES)?, write.open_table(VECTORS)?);
    let models = write.open_table(MODELS)?;
    for entry in models.iter()? {
        let model = entry?.1.value();
        for &passage in passages {
            codes.remove((model, passage))?;
            vectors.remove((model, passage))?;
        }
    }
    Ok(())
}

impl Store {
    /// The number of a model. One that is new gets the next.
    pub fn model(&self, description: &str) -> Result<u32, StoreError> {
        let mut number = 0;
        self.write(|write| {
            let mut models = write.open_table(MODELS)?;
            let known = models.get(description)?.map(|known| known.value());
            let highest = models.iter()?.filter_map(|entry| Some(entry.ok()?.1.value())).max();
            number = known.unwrap_or_else(|| highest.map_or(0, |highest| highest + 1));
            models.insert(description, number)?;
            Ok(())
        })?;
        Ok(number)
    }

    /// What the vectors of a model depend on.
    pub fn description(&self, model: u32) -> Result<Option<String>, StoreError> {
        let models = self.read()?.open_table(MODELS)?;
        for entry in models.iter()? {
            let (description, number) = entry?;
            if number.value() == model {
                return Ok(Some(description.value().to_owned()));
            }
        }
        Ok(None)
    }

    /// The model whose vectors answer, if there is one.
    pub fn answering(&self) -> Result<Option<u32>, StoreError> {
        let numbers = self.read()?.open_table(NUMBERS)?;
        Ok(numbers.get(ANSWERING)?.map(|number| number.value() as u32))
    }

    /// Lets a model answer, and forgets the vectors of all others.
    pub fn answer_with(&self, model: u32) -> Result<(), StoreError> {
        self.write(|write| {
            write.open_table(NUMBERS)?.insert(ANSWERING, u64::from(model))?;
            let is_kept = |(of, _): (u32, u128)| of == model;
            write.open_table(CODES)?.retain(|key, _| is_kept(key))?;
            write.open_table(VECTORS)?.retain(|key, _| is_kept(key))?;
            write.open_table(MODELS)?.retain(|_, number| number == model)?;
            Ok(())
        })
    }

    pub fn put_vectors(&self, model: u32, vectors: &[(u128, Vec<f32>)]) -> Result<(), StoreError> {
        self.write(|write| {
            let mut codes = write.open_table(CODES)?;
            let mut exact = write.open_table(VECTORS)?;
            for (passage, vector) in vectors {
                codes.insert((model, *passage), Code::new(vector).bytes().as_slice())?;
                let halves = vector.iter().flat_map(|&x| f16::from_f32(x).to_le_bytes());
                exact.insert((model, *passage), halves.collect::<Vec<u8>>().as_slice())?;
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
        let codes = self.read()?.open_table(CODES)?;
        for entry in codes.range((model, 0)..=(model, u128::MAX))? {
            let (key, value) = entry?;
            let Some((scale, numbers)) = value.value().split_first_chunk() else { continue };
            each(key.value().1, f32::from_le_bytes(*scale), numbers);
        }
        Ok(())
    }

    /// The vectors of these passages that are there.
    pub fn vectors(&self, model: u32, keys: &[u128]) -> Result<Vec<Option<Vec<f32>>>, StoreError> {
        let vectors = self.read()?.open_table(VECTORS)?;
        let vector =
            |key: &u128| Ok(vectors.get((model, *key))?.map(|found| widened(found.value())));
        keys.iter().map(vector).collect()
    }
}

fn widened(bytes: &[u8]) -> Vec<f32> {
    let halves = bytes.chunks_exact(2).map(|pair| f16::from_le_bytes([pair[0], pair[1]]));
    let halves: Vec<f16> = halves.collect();
    let mut vector = vec![0.0; halves.len()];
    halves.convert_to_f32_slice(&mut vector);
    vector
}
