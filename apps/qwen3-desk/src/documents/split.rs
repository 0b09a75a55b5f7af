//! Where a text is cut into passages.

use super::apart::Stops;
use super::kind::Kind;
use super::read::{Document, Unread};
use super::tokens::TokenCounter;
use qwen3_engine::{EmbedderHost, Error, Options};
use text_splitter::{ChunkConfig, MarkdownSplitter, TextSplitter};

/// A few paragraphs: enough to understand, and short enough to be about one thing.
const PASSAGE_TOKENS: usize = 220;
/// What a passage repeats of the one before it, so that no sentence is torn apart everywhere.
const OVERLAP_TOKENS: usize = 32;
/// For each passage the splitter looks through the rest of the text for its lines, and through the
/// rest of a line for its words. So it is given a text in parts: a file of one line took it hours.
const PART_BYTES: usize = 64 << 10;
/// A longer line is cut before the splitter sees it. Paragraphs of people are shorter.
const LINE_BYTES: usize = 4 << 10;
/// More text than this is a dump. The rest of it isn't searched.
pub const MAX_TEXT_BYTES: usize = 16 << 20;

/// A part of a file, short enough for one vector.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Passage {
    /// The headings above it; empty: there are none.
    pub heading: String,
    pub text: String,
    /// The line on which it begins, or the page of a PDF. Counted from 1.
    pub line: u32,
}

impl Passage {
    /// What its vector is computed from.
    pub fn embedded(heading: &str, text: &str) -> String {
        if heading.is_empty() { text.to_owned() } else { format!("{heading}\n{text}") }
    }
}

/// Cuts texts by the tokens of the model in the program. The passages of a file are then
/// the same whatever model computes their vectors, and another model needs no files.
pub struct Splitter {
    host: EmbedderHost,
}

impl Splitter {
    pub fn new() -> Result<Self, Error> {
        Ok(Self { host: EmbedderHost::load("mini", &Options::default())? })
    }

    pub fn passages(
        &self,
        kind: Kind,
        document: &Document,
        stops: Stops,
    ) -> Result<Vec<Passage>, Unread> {
        let text = &document.text[..document.text.floor_char_boundary(MAX_TEXT_BYTES)];
        let mut cut = vec![];
        for (start, part) in parts(text) {
            if stops() {
                return Err(Unread::Stopped);
            }
            cut.extend(self.cut(kind, part).into_iter().map(|(at, passage)| (start + at, passage)));
        }
        Ok(with_headings(document, text, cut))
    }

    /// Where each passage of a part begins, and the passage.
    fn cut<'t>(&self, kind: Kind, part: &'t str) -> Vec<(usize, &'t str)> {
        let counter = TokenCounter::new(&self.host, part);
        let config = ChunkConfig::new(PASSAGE_TOKENS).with_sizer(&counter);
        let config = config.with_overlap(OVERLAP_TOKENS).expect("it is less than a passage");
        match kind {
            Kind::Markdown | Kind::Html => {
                MarkdownSplitter::new(config).chunk_indices(part).collect()
            }
            _ => TextSplitter::new(config).chunk_indices(part).collect(),
        }
    }
}

/// Passages of those places that say something.
fn with_headings(document: &Document, text: &str, cut: Vec<(usize, &str)>) -> Vec<Passage> {
    // Headings without their sections say nothing, and the passages below them repeat them. Nor
    // does the line that begins code.
    let is_mark = |line: &str| line.starts_with('#') && !document.headings.is_empty();
    let is_mark = |line: &str| line.is_empty() || line.starts_with("```") || is_mark(line);
    let says_nothing = |text: &str| text.lines().all(is_mark);
    let has_sections = !cut.iter().all(|(_, text)| says_nothing(text));
    let (mut line, mut counted) = (1, 0);
    let mut passages = Vec::with_capacity(cut.len());
    for (start, text_of) in cut {
        line += text[counted..start].matches('\n').count();
        counted = start;
        if !text_of.contains(char::is_alphanumeric) || has_sections && says_nothing(text_of) {
            continue;
        }
        let of_heading = document.headings.partition_point(|(from, _)| *from <= start);
        let heading = of_heading.checked_sub(1).map(|at| document.headings[at].1.clone());
        let page = document.pages.partition_point(|from| *from <= start);
        let line = if document.pages.is_empty() { line } else { page };
        passages.push(Passage {
            heading: heading.unwrap_or_default(),
            text: text_of.to_owned(),
            line: line as u32,
        });
    }
    passages
}

/// Parts that end between paragraphs, lines or words where they can.
fn parts(text: &str) -> Vec<(usize, &str)> {
    let (mut parts, mut start) = (vec![], 0);
    while start < text.len() {
        let part = first_part(&text[start..]);
        parts.push((start, part));
        start += part.len();
    }
    parts
}

fn first_part(text: &str) -> &str {
    let part = &text[..text.floor_char_boundary(PART_BYTES)];
    let mut before = 0;
    for line in part.split_inclusive(['\n', '\r']) {
        if line.len() > LINE_BYTES && before == 0 {
            return cut_off(line, LINE_BYTES, &[". ", " ", ",", ";"]);
        }
        if line.len() > LINE_BYTES {
            return &part[..before];
        }
        before += line.len();
    }
    if part.len() == text.len() { part } else { cut_off(part, part.len(), &["\n\n", "\n", " "]) }
}

/// The beginning of a text, not much shorter than it may be. It ends with the first of these marks
/// that it can end with.
fn cut_off<'t>(text: &'t str, max_bytes: usize, marks: &[&str]) -> &'t str {
    let part = &text[..text.floor_char_boundary(max_bytes)];
    let ends = marks.iter().filter_map(|mark| Some(part.rfind(mark)? + mark.len()));
    let end = ends.into_iter().find(|&end| end > part.len() / 2);
    &part[..end.unwrap_or(part.len())]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::documents::document;

    fn cut(kind: Kind, text: &str) -> Vec<Passage> {
        let document = document(kind, text.as_bytes(), &|| false).unwrap();
        Splitter::new().unwrap().passages(kind, &document, &|| false).unwrap()
    }

    #[test]
    fn a_long_text_is_cut_by_tokens_and_nothing_is_lost() {
        let words: Vec<String> = (0..3000).map(|n| format!("word{n}")).collect();
        let text: String = words.chunks(9).map(|line| line.join(" ") + ".\n").collect();
        let passages = cut(Kind::Text, &text);
        let host = EmbedderHost::load("mini", &Options::default()).unwrap();
        for passage in &passages {
            let (tokens, _) = host.next_tokens(&passage.text, 0).unwrap();
            assert!(tokens.len() <= PASSAGE_TOKENS + 1, "{} tokens", tokens.len());
            let start = passage.text.lines().next().unwrap();
            let line = text.lines().nth(passage.line as usize - 1).unwrap();
            assert!(line.ends_with(start), "line {}: {line}, {start}", passage.line);
        }
        let is_there = |word: &String| passages.iter().any(|passage| passage.text.contains(word));
        assert!(words.iter().all(is_there));
        let overlap = passages[0].text.lines().last().unwrap();
        assert!(passages[1].text.starts_with(overlap), "{overlap}");
    }

    #[test]
    fn sections_of_markdown_know_their_headings() {
        let body = "Some words about it. ".repeat(40);
        let text = format!("# Garden\n\n{body}\n\n## Roses\n\n{body}\n");
        let passages = cut(Kind::Markdown, &text);
        assert_eq!(passages[0].heading, "Garden");
        assert_eq!(passages.last().unwrap().heading, "Garden › Roses");
        let long = format!("# Garden\n\n{}\n", body.repeat(10));
        assert!(cut(Kind::Markdown, &long).iter().all(|of| of.text.len() > 20));
        assert_eq!(cut(Kind::Markdown, "# To do\n\n## Roof\n").len(), 1);
    }

    #[test]
    fn a_long_line_is_cut_in_parts_at_words() {
        let text = "water fire bread ".repeat(40_000);
        let parts = parts(&text);
        assert_eq!(parts.iter().map(|(_, part)| *part).collect::<String>(), text);
        assert!(parts.len() > 10 && parts.iter().all(|(_, part)| part.len() <= PART_BYTES));
        assert!(
            parts.iter().all(|(at, part)| part.ends_with(' ') && text[*at..].starts_with(part))
        );
        let passages = cut(Kind::Text, &text);
        let whole = |word: &str| ["water", "fire", "bread"].contains(&word);
        assert!(passages.iter().all(|passage| passage.text.split_whitespace().all(whole)));
        let euros = "\u{20ac}".repeat(30_000);
        assert_eq!(super::parts(&euros).len(), 30_000 * 3 / LINE_BYTES + 1);
        let lines = format!("short\n{euros}\nshort\n");
        let parts = super::parts(&lines);
        assert_eq!((parts[0].1, parts[1].0), ("short\n", 6));
        assert!(parts.last().unwrap().1.ends_with("\u{20ac}\nshort\n"));
    }

    #[test]
    fn cutting_stops_when_it_has_to() {
        let document = document(Kind::Text, b"a word", &|| true).unwrap();
        let stopped = Splitter::new().unwrap().passages(Kind::Text, &document, &|| true);
        assert!(matches!(stopped, Err(Unread::Stopped)));
    }

    #[test]
    fn what_has_no_words_is_no_passage() {
        assert_eq!(cut(Kind::Text, " \n\n--- *** ---\n"), []);
        assert_eq!(cut(Kind::Text, ""), []);
    }
}
