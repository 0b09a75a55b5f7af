//! Text in which the words of a query are marked.

use super::theme::Palette;
use eframe::egui::FontId;
use eframe::egui::text::{LayoutJob, TextFormat};
use std::collections::HashSet;
use std::ops::Range;

/// Shorter words are in every text.
const MIN_CHARS: usize = 3;
/// From here on a word stands for longer ones that begin with it.
const STEM_CHARS: usize = 4;
/// Words that say nothing of what is looked for.
const EMPTY: &[&str] = &[
    "and", "are", "but", "can", "did", "does", "for", "from", "get", "had", "has", "have", "her",
    "his", "how", "its", "not", "our", "out", "she", "that", "the", "their", "them", "then",
    "there", "they", "this", "was", "were", "what", "when", "where", "which", "who", "why", "will",
    "with", "you", "your",
];

/// Every word of every card is compared with each of them, in every frame.
const MAX_WORDS: usize = 32;

/// The first words of a query that are looked for, each once.
pub fn words(query: &str) -> Vec<String> {
    let mut seen = HashSet::new();
    let words = query.split(|c: char| !c.is_alphanumeric());
    let is_word = |word: &&str| word.chars().count() >= MIN_CHARS || !word.is_ascii();
    let words = words.filter(is_word).filter(|word| !word.is_empty()).map(str::to_lowercase);
    let words = words.filter(|word| !EMPTY.contains(&word.as_str()));
    words.filter(|word| seen.insert(word.clone())).take(MAX_WORDS).collect()
}

/// The parts of a text that are words of the query, or begin with one.
pub fn marks(text: &str, words: &[String]) -> Vec<Range<usize>> {
    let mut marks = vec![];
    let mut start = None;
    for (at, c) in text.char_indices().chain([(text.len(), ' ')]) {
        match (c.is_alphanumeric(), start) {
            (true, None) => start = Some(at),
            (false, Some(from)) => {
                mark_run(&text[from..at], from, words, &mut marks);
                start = None;
            }
            _ => {}
        }
    }
    marks
}

fn mark_run(run: &str, from: usize, words: &[String], marks: &mut Vec<Range<usize>>) {
    let lower = run.to_lowercase();
    let is_meant = |word: &String| {
        lower == *word || word.chars().count() >= STEM_CHARS && lower.starts_with(word.as_str())
    };
    if words.iter().any(is_meant) {
        marks.push(from..from + run.len());
        return;
    }
    // Writing without blanks: a word is anywhere in the run.
    let inside = words.iter().filter(|word| !word.is_ascii());
    let first = inside.filter_map(|word| Some((run.find(word.as_str())?, word.len()))).min();
    marks.extend(first.map(|(at, length)| from + at..from + at + length));
}

/// The text with its marks, laid out by the caller.
pub fn job(text: &str, words: &[String], font: FontId, palette: &Palette) -> LayoutJob {
    let mut job = LayoutJob::default();
    let plain = TextFormat { font_id: font, color: palette.text, ..TextFormat::default() };
    let marked = TextFormat { background: palette.mark, expand_bg: 1.0, ..plain.clone() };
    let mut done = 0;
    for mark in marks(text, words) {
        job.append(&text[done..mark.start], 0.0, plain.clone());
        job.append(&text[mark.clone()], 0.0, marked.clone());
        done = mark.end;
    }
    job.append(&text[done..], 0.0, plain);
    job
}

#[cfg(test)]
mod tests {
    use super::*;

    fn marked<'t>(text: &'t str, query: &str) -> Vec<&'t str> {
        marks(text, &words(query)).into_iter().map(|mark| &text[mark]).collect()
    }

    #[test]
    fn words_of_the_query_are_marked_in_any_case() {
        assert_eq!(marked("The Dough, doughy; sourdough.", "a dough!"), ["Dough", "doughy"]);
        assert_eq!(marked("İstanbul and naïve CAFÉ", "café"), ["CAFÉ"]);
        assert_eq!(marked("北京是中国的首都。", "首都"), ["首都"]);
        assert_eq!(marked("it is so", "it is"), Vec::<&str>::new());
        assert_eq!(marked("the sun, then sunset", "when is the sun?"), ["sun"]);
        assert_eq!(marked("", "word"), Vec::<&str>::new());
    }

    #[test]
    fn a_long_query_has_few_words() {
        assert_eq!(words("bread Bread butter"), ["bread", "butter"]);
        let long: String = (0..100_000).map(|n| format!("word{n} ")).collect();
        assert_eq!(words(&long).len(), MAX_WORDS);
    }
}
