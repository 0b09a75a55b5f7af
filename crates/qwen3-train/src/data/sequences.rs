//! Token ids of many texts, one after the other.

use xxhash_rust::xxh3::Xxh3;

/// Sequences of token ids in one piece of memory: millions of texts have a few bytes
/// each besides.
#[derive(Debug, Default)]
pub(crate) struct Sequences {
    ids: Vec<u32>,
    /// Where each ends.
    ends: Vec<u64>,
}

impl Sequences {
    /// Adds one; returns its number.
    pub fn push(&mut self, ids: &[u32]) -> u32 {
        self.ids.extend(ids);
        self.ends.push(self.ids.len() as u64);
        (self.ends.len() - 1) as u32
    }

    pub fn len(&self) -> usize {
        self.ends.len()
    }

    pub fn get(&self, index: u32) -> &[u32] {
        let index = index as usize;
        let start = index.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.ids[start as usize..self.ends[index] as usize]
    }

    pub fn iter(&self) -> impl Iterator<Item = &[u32]> {
        (0..self.len() as u32).map(|index| self.get(index))
    }

    /// A number that other sequences don't have.
    pub fn checksum(&self) -> u64 {
        let mut hash = Xxh3::new();
        for sequence in self.iter() {
            hash.update(&(sequence.len() as u32).to_le_bytes());
            sequence.iter().for_each(|id| hash.update(&id.to_le_bytes()));
        }
        hash.digest()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sequences_come_back_as_they_went_in() {
        let mut sequences = Sequences::default();
        for (index, ids) in [&[1, 2][..], &[], &[3]].into_iter().enumerate() {
            assert_eq!(sequences.push(ids), index as u32);
        }
        assert_eq!(sequences.iter().collect::<Vec<_>>(), [&[1, 2][..], &[], &[3]]);
        let mut others = Sequences::default();
        [&[1][..], &[2], &[3]].into_iter().for_each(|ids| {
            others.push(ids);
        });
        assert_ne!(sequences.checksum(), others.checksum());
    }
}
