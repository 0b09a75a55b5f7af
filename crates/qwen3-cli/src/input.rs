//! Texts from arguments, a file or standard input, a chunk at a time, so that
//! a file may be larger than memory.

use crate::args::InputArgs;
use crate::error::Error;
use qwen3_engine::CancelToken;
use std::fs::File;
use std::io::{self, BufRead, BufReader, IsTerminal, Read};
use std::panic::resume_unwind;
use std::path::Path;
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// Longest line that is read as one text. The longest text a model takes is
/// about 200 KB.
const MAX_LINE_BYTES: usize = 64 << 20;
/// A chunk is sorted by length and packed into batches, so it should hold many.
const CHUNK_TEXTS: usize = 4_096;
const CHUNK_BYTES: usize = 16 << 20;

/// How often a run that waits for input looks whether it was cancelled.
const PATIENCE: Duration = Duration::from_millis(50);

/// Texts, read ahead on a thread of their own: a line that never comes must
/// not keep Ctrl-C waiting.
pub struct Texts {
    chunks: Receiver<Result<Vec<String>, Error>>,
    cancel: CancelToken,
    reading: Option<JoinHandle<()>>,
}

enum Source {
    Arguments(std::vec::IntoIter<String>),
    Lines(Lines),
}

/// Lines of a file.
struct Lines {
    reader: Box<dyn BufRead + Send>,
    name: String,
    field: Option<String>,
    line: usize,
}

impl Texts {
    /// Texts of the arguments if there are any, else of `--input`, else of
    /// standard input.
    pub fn new(
        arguments: &[String],
        input: &InputArgs,
        cancel: &CancelToken,
    ) -> Result<Self, Error> {
        let mut source = Source::new(arguments, input)?;
        let (sender, chunks) = sync_channel(1);
        let reading = thread::spawn(move || {
            loop {
                let chunk = source.chunk();
                let is_last = chunk.as_ref().map_or(true, Vec::is_empty);
                // Nobody listens any more once the run has ended.
                if sender.send(chunk).is_err() || is_last {
                    break;
                }
            }
        });
        Ok(Self { chunks, cancel: cancel.clone(), reading: Some(reading) })
    }

    /// Chunks that a test sends.
    #[cfg(test)]
    pub fn of_channel(
        cancel: &CancelToken,
    ) -> (std::sync::mpsc::SyncSender<Result<Vec<String>, Error>>, Self) {
        let (sender, chunks) = sync_channel(1);
        (sender, Self { chunks, cancel: cancel.clone(), reading: None })
    }

    /// What ends the waiting for texts.
    pub fn cancel_token(&self) -> CancelToken {
        self.cancel.clone()
    }

    /// The next texts, in order; empty at the end.
    pub fn chunk(&mut self) -> Result<Vec<String>, Error> {
        loop {
            match self.chunks.recv_timeout(PATIENCE) {
                Ok(chunk) => return chunk,
                Err(RecvTimeoutError::Disconnected) => {
                    // Text that is missing because of a bug isn't the end of the text.
                    let ended = self.reading.take().map_or(Ok(()), JoinHandle::join);
                    ended.unwrap_or_else(|panic| resume_unwind(panic));
                    return Ok(vec![]);
                }
                Err(RecvTimeoutError::Timeout) if self.cancel.is_cancelled() => {
                    return Err(qwen3_engine::Error::Cancelled.into());
                }
                Err(RecvTimeoutError::Timeout) => {}
            }
        }
    }
}

impl Source {
    fn new(arguments: &[String], input: &InputArgs) -> Result<Self, Error> {
        match input.input.first() {
            Some(_) if !arguments.is_empty() || input.input.len() > 1 => Err(Error::TwoInputs),
            None if !arguments.is_empty() && input.field.is_some() => Err(Error::FieldOfArguments),
            Some(path) if path == Path::new("-") => Ok(Self::stdin(input)),
            Some(path) => {
                let name = path.display().to_string();
                let file = File::open(path)
                    .and_then(|file| match file.metadata()?.is_dir() {
                        true => Err(io::Error::from(io::ErrorKind::IsADirectory)),
                        false => Ok(file),
                    })
                    .map_err(|source| Error::Read { name: name.clone(), source })?;
                Ok(Self::lines(Box::new(BufReader::new(file)), name, input))
            }
            None if !arguments.is_empty() => Ok(Self::Arguments(Vec::from(arguments).into_iter())),
            None if io::stdin().is_terminal() => Err(Error::NoInput),
            None => Ok(Self::stdin(input)),
        }
    }

    fn stdin(input: &InputArgs) -> Self {
        Self::lines(Box::new(BufReader::new(io::stdin())), "standard input".to_owned(), input)
    }

    fn lines(reader: Box<dyn BufRead + Send>, name: String, input: &InputArgs) -> Self {
        Self::Lines(Lines { reader, name, field: input.field.clone(), line: 0 })
    }

    fn chunk(&mut self) -> Result<Vec<String>, Error> {
        let mut texts = vec![];
        let mut bytes = 0;
        while texts.len() < CHUNK_TEXTS && bytes < CHUNK_BYTES {
            let text = match self {
                Self::Arguments(arguments) => arguments.next(),
                Self::Lines(lines) => lines.next()?,
            };
            match text {
                Some(text) => {
                    bytes += text.len();
                    texts.push(text);
                }
                None => break,
            }
        }
        Ok(texts)
    }
}

impl Lines {
    fn next(&mut self) -> Result<Option<String>, Error> {
        if self.line == 0 {
            self.check_encoding()?;
        }
        let mut bytes = vec![];
        // One byte more than allowed, to tell a long line from one that just fits.
        let limit = MAX_LINE_BYTES as u64 + 2;
        let read = self.reader.by_ref().take(limit).read_until(b'\n', &mut bytes);
        read.map_err(|source| Error::Read { name: self.name.clone(), source })?;
        if bytes.is_empty() {
            return Ok(None);
        }
        self.line += 1;
        let (name, line) = (|| self.name.clone(), self.line);
        if bytes.last() == Some(&b'\n') {
            bytes.pop();
            if bytes.last() == Some(&b'\r') {
                bytes.pop();
            }
        }
        if bytes.len() > MAX_LINE_BYTES {
            return Err(Error::LongLine { name: name(), line, max_bytes: MAX_LINE_BYTES });
        }
        let text = String::from_utf8(bytes).map_err(|_| Error::Utf8 { name: name(), line })?;
        // A byte order mark belongs to the file, not to its first text.
        let text = match (line, text.strip_prefix('\u{feff}')) {
            (1, Some(text)) => text.to_owned(),
            _ => text,
        };
        let Some(field) = &self.field else { return Ok(Some(text)) };
        let found = crate::field::string(&text, field).map_err(|source| Error::Json {
            name: name(),
            line,
            source,
        })?;
        let missing = || Error::Field { name: name(), line, field: field.clone() };
        found.map(Some).ok_or_else(missing)
    }

    /// Looks at the file's first bytes.
    fn check_encoding(&mut self) -> Result<(), Error> {
        let start = self.reader.fill_buf();
        let start = start.map_err(|source| Error::Read { name: self.name.clone(), source })?;
        match is_utf16(start) {
            true => Err(Error::Utf16 { name: self.name.clone() }),
            false => Ok(()),
        }
    }
}

/// Whether a file that begins so is UTF-16 (or UTF-32): by its byte order mark,
/// or by the zeros that it has between letters.
fn is_utf16(start: &[u8]) -> bool {
    match start {
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] | [0, 0, 0xfe, 0xff, ..] => true,
        [a, b, c, d, ..] => matches!(
            [a, b, c, d].map(|byte| *byte == 0),
            [true, false, true, false]
                | [false, true, false, true]
                | [true, true, true, false]
                | [false, true, true, true]
        ),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8], field: Option<&str>) -> Result<Vec<String>, String> {
        let input = InputArgs { input: vec![], field: field.map(str::to_owned) };
        let reader = Box::new(io::Cursor::new(bytes.to_vec()));
        Source::lines(reader, "test".to_owned(), &input).chunk().map_err(|e| e.to_string())
    }

    #[test]
    fn every_line_is_a_text_empty_ones_too() {
        assert_eq!(read(b"a\n\nb c\r\n", None).unwrap(), ["a", "", "b c"]);
        assert_eq!(read(b"a\nb", None).unwrap(), ["a", "b"]);
        assert_eq!(read("\u{feff}a\n\u{feff}b".as_bytes(), None).unwrap(), ["a", "\u{feff}b"]);
        assert!(read(b"", None).unwrap().is_empty());
    }

    #[test]
    fn a_field_of_json_lines() {
        let lines = "{\"t\": \"a\\nb\"}\n{\"n\": 1, \"t\": \"\"}\n";
        assert_eq!(read(lines.as_bytes(), Some("t")).unwrap(), ["a\nb", ""]);
        let missing = read(lines.as_bytes(), Some("x")).unwrap_err();
        assert_eq!(missing, "line 1 of `test` has no string in the field `x`");
        assert!(read(b"{\"t\": 1}\n", Some("t")).unwrap_err().contains("no string"));
        assert!(
            read(b"plain\n", Some("t")).unwrap_err().starts_with("line 1 of `test` is not JSON")
        );
    }

    #[test]
    fn bytes_that_are_no_text_are_named_by_line() {
        let error = read(b"good\n\xff\xfe\n", None).unwrap_err();
        assert!(error.starts_with("line 2 of `test` is not valid UTF-8"), "{error}");
    }

    #[test]
    fn utf16_is_told_from_utf8_with_and_without_its_mark() {
        let encoded = |text: &str, to_bytes: fn(u16) -> [u8; 2]| -> Vec<u8> {
            text.encode_utf16().flat_map(to_bytes).collect()
        };
        for text in ["\u{feff}a\nb\n", "\u{feff}万有\n", "ab\n", "a\nb", "\nab", "\u{feff}"] {
            for to_bytes in [u16::to_le_bytes, u16::to_be_bytes] {
                let error = read(&encoded(text, to_bytes), None).unwrap_err();
                assert!(error.starts_with("`test` is UTF-16"), "{text:?}: {error}");
            }
        }
        assert_eq!(read(b"a\0\0b\n", None).unwrap(), ["a\0\0b"]);
    }

    #[test]
    fn a_line_beyond_the_limit_is_refused_and_one_at_the_limit_is_not() {
        let longest = vec![b'a'; MAX_LINE_BYTES];
        assert_eq!(read(&longest, None).unwrap()[0].len(), MAX_LINE_BYTES);
        let too_long = [longest, b"a\nb\n".to_vec()].concat();
        let error = read(&too_long, None).unwrap_err();
        assert!(error.starts_with("line 1 of `test` is longer than 64 MiB"), "{error}");
    }
}
