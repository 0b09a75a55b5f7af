//! What holds for every text and every limit.

mod folders;

use folders::{fixture, in_one_piece};
use proptest::prelude::*;
use proptest::sample::select;
use qwen3_text::*;
use std::sync::LazyLock;

const NO_LIMIT: Limit = Limit { max_tokens: usize::MAX, truncate: Truncate::Right };
const END: u32 = 606;

type Tokenizers = Vec<(SpecialTokens, EmbeddingTokenizer, RerankTokenizer)>;

fn tokenizers(folder: fn(&str) -> std::path::PathBuf) -> Tokenizers {
    let policies =
        [SpecialTokens::Parse, SpecialTokens::Literal, SpecialTokens::Strip, SpecialTokens::Reject];
    let (embedding, rerank) = (folder("tiny-embedding"), folder("tiny-reranker-tied"));
    let of = |special| {
        let embedding = EmbeddingTokenizer::from_folder(&embedding, special).unwrap();
        (special, embedding, RerankTokenizer::from_folder(&rerank, special).unwrap())
    };
    policies.map(of).into()
}

static TOKENIZERS: LazyLock<Tokenizers> = LazyLock::new(|| tokenizers(fixture));
static SLOW: LazyLock<Tokenizers> =
    LazyLock::new(|| tokenizers(|name| in_one_piece("properties", name)));

/// Any characters, mixed with special tokens and parts of them.
fn texts() -> impl Strategy<Value = String> {
    let tokens = r"<\|im_end\|>|<\|endoftext\|>|<\|im_|end\|>|</?think>|<th|ink>|\n|\x00";
    let part = prop_oneof![any::<String>(), "[a-z ]{0,12}", "[a-z, .1é\u{301}力。\n]{0,6}", tokens];
    prop::collection::vec(part, 0..8).prop_map(|parts| parts.concat())
}

/// `body`, cut to `room` tokens on the side that `truncate` says.
fn cut(body: &[u32], room: usize, truncate: Truncate) -> &[u32] {
    match truncate {
        Truncate::Left => &body[body.len().saturating_sub(room)..],
        _ => &body[..body.len().min(room)],
    }
}

fn is_too_long(result: Result<Tokens, Error>, n_tokens: usize) -> bool {
    matches!(result, Err(Error::TooLong { found, .. }) if found == n_tokens)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..Default::default() })]

    #[test]
    fn embedding_inputs_end_with_the_end_token_and_keep_the_limit(
        prompt in texts(),
        text in texts(),
        max_tokens in 1_usize..60,
        truncate in select(&[Truncate::Right, Truncate::Left, Truncate::Error][..]),
    ) {
        for (special, tokenizer, _) in TOKENIZERS.iter() {
            let Ok(whole) = tokenizer.tokenize(&prompt, &text, NO_LIMIT) else {
                prop_assert_eq!(*special, SpecialTokens::Reject);
                continue;
            };
            prop_assert!(!whole.truncated);
            let (end, body) = whole.input_ids.split_last().unwrap();
            prop_assert_eq!(*end, END);
            if *special != SpecialTokens::Parse {
                prop_assert!(body.iter().all(|id| *id < END));
            }
            let fits = whole.input_ids.len() <= max_tokens;
            let limited = tokenizer.tokenize(&prompt, &text, Limit { max_tokens, truncate });
            if truncate == Truncate::Error && !fits {
                prop_assert!(is_too_long(limited, whole.input_ids.len()));
                continue;
            }
            let limited = limited.unwrap();
            prop_assert_eq!(limited.truncated, !fits);
            prop_assert_eq!(&limited.input_ids, &[cut(body, max_tokens - 1, truncate), &[END]].concat());
            // An input that somebody else has tokenized meets the same end.
            let of_ids = tokenizer.tokens_of_ids(&whole.input_ids, Limit { max_tokens, truncate }).unwrap();
            prop_assert_eq!(of_ids, limited);
        }
    }

    /// A prefix is tokenized apart from what follows it, and in the slow way together with it.
    #[test]
    fn a_prefix_does_not_change_the_tokens(
        instruction in texts(),
        before in texts(),
        text in texts(),
        max_tokens in prop_oneof![120_usize..180, 500_usize..600],
        truncate in select(&[Truncate::Right, Truncate::Left, Truncate::Error][..]),
    ) {
        let limit = Limit { max_tokens, truncate };
        for ((_, embedding, rerank), (_, slow_embedding, slow_rerank)) in TOKENIZERS.iter().zip(SLOW.iter()) {
            let slow = slow_embedding.tokenize("", &[before.as_str(), &text].concat(), limit);
            let fast = embedding.tokenize(&before, &text, limit);
            prop_assert_eq!(format!("{fast:?}"), format!("{slow:?}"));
            let slow = slow_rerank.tokenize(&instruction, &before, &text, limit);
            let fast = rerank.tokenize(&instruction, &before, &text, limit);
            prop_assert_eq!(format!("{fast:?}"), format!("{slow:?}"));
        }
    }

    #[test]
    fn reranker_inputs_keep_the_template_and_the_limit(
        instruction in texts(),
        query in texts(),
        document in texts(),
        room in 1_usize..90,
        truncate in select(&[Truncate::Right, Truncate::Left, Truncate::Error][..]),
    ) {
        for (special, _, tokenizer) in TOKENIZERS.iter() {
            let template = tokenizer.tokenize("", "", "", NO_LIMIT).unwrap().input_ids;
            let n_suffix = template.len() - template.iter().rposition(|id| *id == 608).unwrap();
            let n_prefix = tokenizer.overhead_tokens() - n_suffix;
            let Ok(whole) = tokenizer.tokenize(&instruction, &query, &document, NO_LIMIT) else {
                prop_assert_eq!(*special, SpecialTokens::Reject);
                continue;
            };
            let body = &whole.input_ids[n_prefix..whole.input_ids.len() - n_suffix];
            if *special != SpecialTokens::Parse {
                prop_assert!(body.iter().all(|id| *id < END));
            }
            let max_tokens = tokenizer.overhead_tokens() + room;
            let limited = tokenizer.tokenize(&instruction, &query, &document, Limit { max_tokens, truncate });
            if truncate == Truncate::Error && body.len() > room {
                prop_assert!(is_too_long(limited, whole.input_ids.len()));
                continue;
            }
            let limited = limited.unwrap();
            let (prefix, suffix) = (&template[..n_prefix], &template[template.len() - n_suffix..]);
            prop_assert_eq!(limited.truncated, body.len() > room);
            prop_assert_eq!(limited.input_ids, [prefix, cut(body, room, truncate), suffix].concat());
        }
    }
}

#[test]
fn odd_texts_have_tokens() {
    let texts = "\0; ;\n\n\t;\u{301};\u{323}\u{301}\u{301};\u{feff};\u{10ffff};\u{1100}\u{1161};\r";
    for (special, tokenizer, _) in TOKENIZERS.iter() {
        for text in texts.split(';') {
            let tokens = tokenizer.tokenize("", &text.repeat(300), NO_LIMIT).unwrap();
            assert!(tokens.input_ids.len() > 1, "{special} {text:?}");
        }
    }
}

#[test]
fn tokenizers_may_be_shared_between_threads() {
    fn check<T: Send + Sync>() {}
    check::<EmbeddingTokenizer>();
    check::<RerankTokenizer>();
    check::<Prompts>();
    check::<Error>();
}
