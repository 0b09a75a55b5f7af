"""Trains the tokenizer: Qwen's in all but the vocabulary.

    python mini/tokenizer.py FOLDER

It reads FOLDER/texts.jsonl and writes FOLDER/tokenizer/ with tokenizer.json and tokenizer_config.json: 16,384 tokens,
of which 256 are bytes and the last one is <|endoftext|>, appended to each text.
"""

import argparse
import json
import os

from tokenizers import (
    AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers,
)

from teacher import lines

N_TOKENS = 16_384
N_TEXTS = 400_000
END_OF_TEXT = "<|endoftext|>"
# Qwen's: contractions, words with what stands before them, digits one by one, marks, line breaks, blanks.
PATTERN = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)


def trained(texts):
    tokenizer = Tokenizer(models.BPE(continuing_subword_prefix="", end_of_word_suffix=""))
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(PATTERN), "isolated"),
        pre_tokenizers.ByteLevel(add_prefix_space=False, trim_offsets=False, use_regex=False),
    ])
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    tokenizer.train_from_iterator(
        texts, trainers.BpeTrainer(vocab_size=N_TOKENS - 1, initial_alphabet=alphabet, show_progress=False)
    )
    tokenizer.add_tokens([AddedToken(END_OF_TEXT, normalized=False, special=True)])
    tokenizer.post_processor = processors.Sequence([
        processors.ByteLevel(add_prefix_space=False, trim_offsets=False, use_regex=False),
        processors.TemplateProcessing(
            single=f"$A {END_OF_TEXT}",
            pair=f"$A {END_OF_TEXT} $B:1 {END_OF_TEXT}:1",
            special_tokens=[(END_OF_TEXT, tokenizer.token_to_id(END_OF_TEXT))],
        ),
    ])
    return tokenizer


def config(max_tokens):
    flags = {"lstrip": False, "normalized": False, "rstrip": False, "single_word": False, "special": True}
    return {
        "add_bos_token": False,
        "add_prefix_space": False,
        "added_tokens_decoder": {str(N_TOKENS - 1): {"content": END_OF_TEXT, **flags}},
        "bos_token": None,
        "clean_up_tokenization_spaces": False,
        "eos_token": END_OF_TEXT,
        "errors": "replace",
        "model_max_length": max_tokens,
        "pad_token": END_OF_TEXT,
        "padding_side": "left",
        "split_special_tokens": False,
        "tokenizer_class": "Qwen2Tokenizer",
        "unk_token": None,
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder")
    folder = parser.parse_args().folder
    tokenizer = trained(lines(os.path.join(folder, "texts.jsonl"), N_TEXTS))
    assert tokenizer.get_vocab_size() == N_TOKENS, tokenizer.get_vocab_size()
    out = os.path.join(folder, "tokenizer")
    os.makedirs(out, exist_ok=True)
    smallest = json.dumps(json.loads(tokenizer.to_str()), ensure_ascii=False, separators=(",", ":"))
    for name, text in (("tokenizer_config.json", json.dumps(config(2048), indent=2)), ("tokenizer.json", smallest)):
        with open(os.path.join(out, name), "w", encoding="utf8") as file:
            file.write(text)
    sample = lines(os.path.join(folder, "held.jsonl"))
    mean = sum(len(encoding.ids) for encoding in tokenizer.encode_batch(sample)) / len(sample)
    print(f"{N_TOKENS:,} tokens, {len(smallest.encode()):,} bytes, {mean:.1f} tokens per text")


if __name__ == "__main__":
    main()
