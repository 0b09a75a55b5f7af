//! How many tokens a part of a text has.

use qwen3_engine::EmbedderHost;
use std::ops::Range;
use text_splitter::ChunkSizer;

/// Counts the tokens of parts of one text, which is tokenized once.
pub struct TokenCounter {
    /// Where the text lies, by which its parts know their place in it.
    start: usize,
    /// Where its tokens begin.
    tokens: Vec<usize>,
}

impl TokenCounter {
    pub fn new(host: &EmbedderHost, text: &str) -> Self {
        let (mut tokens, mut from) = (vec![], 0);
        while from < text.len() {
            let Ok((part, next)) = host.next_tokens(text, from) else { break };
            if next <= from {
                break;
            }
            tokens.extend(part.into_iter().filter_map(|token| Some(token.bytes?.start)));
            from = next;
        }
        // What the tokenizer refuses is counted as if each token had four bytes.
        tokens.extend((from..text.len()).step_by(4));
        Self { start: text.as_ptr() as usize, tokens }
    }

    fn within(&self, bytes: Range<usize>) -> usize {
        let before = |end: usize| self.tokens.partition_point(|&start| start < end);
        before(bytes.end) - before(bytes.start)
    }
}

impl ChunkSizer for TokenCounter {
    fn size(&self, chunk: &str) -> usize {
        let start = chunk.as_ptr() as usize - self.start;
        self.within(start..start + chunk.len())
    }
}
