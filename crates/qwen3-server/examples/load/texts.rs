//! Texts to send, and the vectors that they should have.

use crate::client::Client;
use std::error::Error;

/// Different texts.
pub const TEXTS: usize = 256;
/// Beyond this two vectors of a text differ.
const TOLERANCE: f32 = 1e-5;

/// A sequence of numbers that looks random; xorshift64.
pub struct Random(pub u64);

impl Random {
    pub fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % end as u64) as usize
    }
}

/// Texts, each with the vector that it has alone.
pub struct Texts {
    texts: Vec<String>,
    vectors: Vec<Vec<f32>>,
}

impl Texts {
    /// Texts of so many words by their index, with the vectors of a server.
    ///
    /// # Errors
    /// If there is no server, or it doesn't compute.
    pub fn new(address: &str, words: impl Fn(usize) -> usize) -> Result<Self, Box<dyn Error>> {
        let texts = texts(words);
        let mut client = Client::connect(address)?;
        let mut vectors = vec![];
        for text in &texts {
            let (status, body) = client.embed(&[text])?;
            if status != 200 {
                return Err(format!("{status}: {}", String::from_utf8_lossy(&body)).into());
            }
            let [vector]: [Vec<f32>; 1] = serde_json::from_slice(&body)?;
            vectors.push(vector);
        }
        Ok(Self { texts, vectors })
    }

    /// Some of the texts, with their indices.
    pub fn choose(&self, count: usize, random: &mut Random) -> (Vec<usize>, Vec<&str>) {
        (0..count).map(|_| random.below(TEXTS)).map(|i| (i, self.texts[i].as_str())).unzip()
    }

    /// Whether an answer has the vectors of the texts with these indices.
    pub fn is_right(&self, body: &[u8], indices: &[usize]) -> bool {
        let Ok(vectors) = serde_json::from_slice::<Vec<Vec<f32>>>(body) else { return false };
        let same = |(vector, index): (&Vec<f32>, &usize)| {
            let expected = &self.vectors[*index];
            vector.len() == expected.len()
                && vector.iter().zip(expected).all(|(a, b)| (a - b).abs() < TOLERANCE)
        };
        vectors.len() == indices.len() && vectors.iter().zip(indices).all(same)
    }
}

/// Texts of so many words by their index.
pub fn texts(words: impl Fn(usize) -> usize) -> Vec<String> {
    let names = ["gravity", "planet", "force", "capital", "river", "stone", "light", "winter"];
    let text = |index: usize| {
        let mut random = Random(index as u64 * 7919 + 17);
        let words: Vec<&str> =
            (0..words(index)).map(|_| names[random.below(names.len())]).collect();
        format!("{index} {}", words.join(" "))
    };
    (0..TEXTS).map(text).collect()
}
