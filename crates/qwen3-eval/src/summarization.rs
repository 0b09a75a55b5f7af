//! Summarisation: is a machine's summary near to those of people when people find it good?

use crate::correlation::{pearson, spearman};
use crate::error::{all_finite, at_least, same_count};
use crate::sums::mean;
use crate::vectors::{cosine, dot};
use crate::{Error, Vectors};
use serde::Serialize;

/// The summaries of one text.
#[derive(Clone, Copy, Debug)]
pub struct Summaries<'a> {
    /// Written by people.
    pub human: Vectors<'a>,
    /// Written by machines.
    pub machine: Vectors<'a>,
    /// How good people find each of the machines'.
    pub gold: &'a [f64],
}

/// What mteb reports of summarisation, means over texts. Its main score is `cosine_spearman`;
/// `pearson` and `spearman` are of the model's own similarity, which is the cosine.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
#[allow(missing_docs, reason = "mteb's names")]
pub struct SummarizationScores {
    pub pearson: f64,
    pub spearman: f64,
    pub cosine_spearman: f64,
    pub cosine_pearson: f64,
    pub dot_pearson: f64,
    pub dot_spearman: f64,
    /// Texts that were left out, since all scores of one kind are the same.
    pub skipped: usize,
}

/// Correlates, text by text, each machine's similarity to the nearest of the people's summaries with
/// the gold scores.
///
/// # Errors
/// If a text has no summary of people, the lists don't belong together, or no text is left.
pub fn summarization(texts: &[Summaries]) -> Result<SummarizationScores, Error> {
    let mut columns: [Vec<f64>; 4] = Default::default();
    let mut skipped = 0;
    for text in texts {
        let (cosines, dots) = nearest_people(text)?;
        let is_constant = |numbers: &[f64]| numbers.iter().all(|number| *number == numbers[0]);
        if [text.gold, &cosines, &dots].into_iter().any(is_constant) {
            skipped += 1;
            continue;
        }
        columns[0].push(pearson(text.gold, &cosines)?);
        columns[1].push(spearman(text.gold, &cosines)?);
        columns[2].push(pearson(text.gold, &dots)?);
        columns[3].push(spearman(text.gold, &dots)?);
    }
    at_least("texts whose scores differ", texts.len() - skipped, 1)?;
    let [cosine_pearson, cosine_spearman, dot_pearson, dot_spearman] =
        columns.map(|column| mean(&column));
    Ok(SummarizationScores {
        pearson: cosine_pearson,
        spearman: cosine_spearman,
        cosine_spearman,
        cosine_pearson,
        dot_pearson,
        dot_spearman,
        skipped,
    })
}

fn nearest_people(text: &Summaries) -> Result<(Vec<f64>, Vec<f64>), Error> {
    at_least("summaries of people", text.human.len(), 1)?;
    same_count("gold scores", text.gold.len(), text.machine.len())?;
    text.human.same_width(&text.machine)?;
    all_finite("gold score", text.gold)?;
    let most = |measure: fn(&[f32], &[f32]) -> f64| {
        let of = |row| text.human.rows().map(move |human| f64::from(measure(row, human) as f32));
        text.machine.rows().map(|row| of(row).fold(f64::NEG_INFINITY, f64::max)).collect()
    };
    Ok((most(cosine), most(dot)))
}
