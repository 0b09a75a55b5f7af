//! The text in a file, with its headings.

use super::apart::{self, Stops};
use super::encoding::decoded;
use super::kind::Kind;
use pulldown_cmark::{Event, HeadingLevel, Options, Parser, Tag, TagEnd};
use std::io;

/// Larger files are logs and dumps more often than something to read.
pub const MAX_FILE_BYTES: u64 = 64 << 20;
/// Columns to which a web page is laid out.
const HTML_COLUMNS: usize = 120;
const PAGE_END: &str = "\x0c";
/// The longest heading that is put in front of a passage.
const MAX_HEADING_CHARS: usize = 160;

/// Why there is nothing to search in a file. Shown in the list of problems.
#[derive(Debug, thiserror::Error)]
pub enum Unread {
    #[error("can't be read: {source}")]
    Io { source: io::Error },
    #[error("is not there; what was found in it is kept until you remove it here")]
    Away,
    #[error("is empty; what was found in it is kept until you remove it here")]
    Empty,
    #[error("is larger than {} MB", MAX_FILE_BYTES >> 20)]
    TooLarge,
    #[error("is no text, whatever its name says")]
    Binary,
    #[error("is a PDF that can't be read: {message}")]
    Pdf { message: String },
    #[error("takes too much memory to read")]
    Memory,
    #[error("takes too long to read")]
    Time,
    /// For something that is done first. It is read again.
    #[error("was not read to its end")]
    Stopped,
    #[error("is a PDF without text; its pages may be pictures")]
    NoText,
    #[error("is a web page that can't be read: {message}")]
    Html { message: String },
    #[error("can't be cut into passages; please tell us of it")]
    Uncut,
    #[error("has a name that is not Unicode")]
    Name,
}

/// A file's text.
#[derive(Debug, Default, PartialEq)]
pub struct Document {
    pub text: String,
    /// What the text from a byte on is about, in order.
    pub headings: Vec<(usize, String)>,
    /// Where the pages of a PDF begin; else lines are counted.
    pub pages: Vec<usize>,
}

/// What is not text itself, but is read by somebody else's code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    Pdf,
    Html,
}

impl Format {
    /// Its name on a command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Pdf => "pdf",
            Self::Html => "html",
        }
    }

    pub fn unread(self, message: String) -> Unread {
        match self {
            Self::Pdf => Unread::Pdf { message },
            Self::Html => Unread::Html { message },
        }
    }
}

/// The text in a file of this kind.
pub fn document(kind: Kind, bytes: &[u8], stops: Stops) -> Result<Document, Unread> {
    if kind == Kind::Pdf {
        return of_pages(&apart::text(Format::Pdf, bytes, stops)?);
    }
    let text = decoded(kind, bytes)?;
    Ok(match kind {
        Kind::Markdown => {
            let headings = headings(kind, &text);
            Document { text, headings, ..Document::default() }
        }
        Kind::Html => {
            let text = apart::text(Format::Html, text.as_bytes(), stops)?;
            // Headings come out as those of Markdown.
            let headings = headings(kind, &text);
            Document { text, headings, ..Document::default() }
        }
        Kind::Table => {
            let columns = text.lines().next().map(|line| (0, shortened(line)));
            Document { headings: columns.into_iter().collect(), text, ..Document::default() }
        }
        Kind::Text | Kind::Code | Kind::Pdf => Document { text, ..Document::default() },
    })
}

/// The text in a file of this format, which must be UTF-8 if it is a web page. A page of a PDF ends
/// with a form feed.
pub fn extracted(format: Format, bytes: &[u8]) -> Result<String, String> {
    match format {
        Format::Pdf => {
            let pages = pdf_extract::extract_text_from_mem_by_pages(bytes);
            let pages = pages.map_err(|error| error.to_string())?;
            let page = |page: &String| page.replace(PAGE_END, " ") + PAGE_END;
            Ok(pages.iter().map(page).collect())
        }
        Format::Html => {
            // Cells follow each other: side by side, their lines would be mixed.
            let plain = html2text::config::plain().link_footnotes(false).raw_mode(true);
            // Lists in lists leave less and less room.
            let plain = plain.min_wrap_width(HTML_COLUMNS / 3).allow_width_overflow();
            plain.string_from_read(bytes, HTML_COLUMNS).map_err(|error| error.to_string())
        }
    }
}

fn of_pages(pages: &str) -> Result<Document, Unread> {
    let mut document = Document::default();
    for page in pages.split_terminator(PAGE_END) {
        document.pages.push(document.text.len());
        document.text.push_str(page.trim());
        document.text.push_str("\n\n");
    }
    if document.text.trim().is_empty() { Err(Unread::NoText) } else { Ok(document) }
}

/// For each heading the path to it, as in `Setup › Linux`. Those of web pages are never underlined:
/// a line of their text may be.
fn headings(kind: Kind, text: &str) -> Vec<(usize, String)> {
    let (mut headings, mut path) = (vec![], Vec::<(HeadingLevel, String)>::new());
    let mut open: Option<String> = None;
    let events = Parser::new_ext(text, Options::ENABLE_YAML_STYLE_METADATA_BLOCKS);
    for (event, range) in events.into_offset_iter() {
        match (event, &mut open) {
            (Event::Start(Tag::Heading { .. }), _) => {
                let has_mark = text[range].trim_start().starts_with('#');
                open = (kind == Kind::Markdown || has_mark).then(String::new);
            }
            (Event::Text(part) | Event::Code(part), Some(name)) => name.push_str(&part),
            (Event::SoftBreak | Event::HardBreak, Some(name)) => name.push(' '),
            (Event::End(TagEnd::Heading(level)), Some(name)) => {
                path.retain(|(of, _)| *of < level);
                path.push((level, std::mem::take(name)));
                let names: Vec<&str> = path.iter().map(|(_, name)| name.as_str()).collect();
                headings.push((range.start, shortened(&names.join(" › "))));
                open = None;
            }
            _ => {}
        }
    }
    headings
}

fn shortened(heading: &str) -> String {
    match heading.char_indices().nth(MAX_HEADING_CHARS) {
        Some((end, _)) => format!("{}…", &heading[..end]),
        None => heading.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document(kind: Kind, bytes: &[u8]) -> Result<Document, Unread> {
        super::document(kind, bytes, &|| false)
    }

    #[test]
    fn headings_lead_to_their_section_and_code_has_none() {
        let text = "# A\nx\n```\n# no\n```\n## B ##\n### C\n## D\n#hash\n";
        let found = document(Kind::Markdown, text.as_bytes()).unwrap().headings;
        let names: Vec<&str> = found.iter().map(|(_, name)| name.as_str()).collect();
        assert_eq!(names, ["A", "A › B", "A › B › C", "A › D"]);
        assert_eq!(found[3].0, text.find("## D").unwrap());
    }

    #[test]
    fn fences_end_with_their_own_kind_and_headings_may_be_underlined() {
        let text = "---\ntitle: no\n---\n# A\n```npm install``` and wait.\n## B\n~~~\n```\n# no\n\
            ~~~\n## C `x`\nTwo\nlines\n====\ntext\n\nD\n---\n";
        let found = document(Kind::Markdown, text.as_bytes()).unwrap().headings;
        let names: Vec<&str> = found.iter().map(|(_, name)| name.as_str()).collect();
        assert_eq!(names, ["A", "A › B", "A › C x", "Two lines", "Two lines › D"]);
        assert_eq!(found[3].0, text.find("Two").unwrap());
        let page = "<h1>A</h1><p>text</p><hr><p>more</p>";
        let found = document(Kind::Html, page.as_bytes()).unwrap().headings;
        assert_eq!(found, [(0, "A".to_owned())]);
    }

    #[test]
    fn a_web_page_is_its_text() {
        let page = b"<html><head><style>p{}</style><script>var x</script></head>\
            <body><h1>Bread</h1><p>Knead the <a href='x'>dough</a>.</p></body></html>";
        let document = document(Kind::Html, page).unwrap();
        assert!(document.text.contains("Knead the [dough]."), "{}", document.text);
        assert!(!document.text.contains("var x") && !document.text.contains("p{}"));
        assert_eq!(document.headings, [(0, "Bread".to_owned())]);
    }

    #[test]
    fn cells_of_a_web_page_follow_each_other() {
        let long = "a sentence that is longer than its column is wide, ".repeat(5);
        let inner = "<table><tr><td>inner</td></tr></table>";
        let first = format!("<tr><td>{long}its end</td><td>{inner}</td></tr>");
        let page = format!("<table>{first}<tr><td>below</td></tr></table>");
        let text = document(Kind::Html, page.as_bytes()).unwrap().text;
        let words: Vec<&str> = text.split_whitespace().collect();
        assert_eq!(words.join(" "), format!("{long}its end inner below"));
    }

    #[test]
    fn a_web_page_may_be_nested_without_end() {
        let page = format!("{}deep{}", "<div>".repeat(20_000), "</div>".repeat(20_000));
        let read = document(Kind::Html, page.as_bytes());
        assert!(read.is_ok_and(|read| read.text.contains("deep")));
        let lists = format!("{}deep{}", "<ul><li>".repeat(300), "</li></ul>".repeat(300));
        let read = document(Kind::Html, lists.as_bytes());
        assert!(read.is_ok_and(|read| read.text.contains("deep")));
    }

    #[test]
    fn the_columns_of_a_table_are_its_heading() {
        let document = document(Kind::Table, b"name,age\nAda,36\n").unwrap();
        assert_eq!(document.headings, [(0, "name,age".to_owned())]);
    }

    #[test]
    fn pages_of_a_pdf_are_counted() {
        let document = of_pages("one\x0c\x0c three \x0c").unwrap();
        assert_eq!(
            (document.text.as_str(), document.pages),
            ("one\n\n\n\nthree\n\n", vec![0, 5, 7])
        );
        assert!(matches!(of_pages(" \x0c\x0c"), Err(Unread::NoText)));
    }

    #[test]
    fn a_broken_pdf_is_a_problem_and_no_more() {
        for bytes in [&b""[..], b"%PDF-1.7\nnothing", b"\0\x01\x02"] {
            assert!(matches!(document(Kind::Pdf, bytes), Err(Unread::Pdf { .. })));
        }
    }
}
