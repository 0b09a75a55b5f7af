"""Two retrieval sets for `qwen3 eval`, from what `fetch.sh` has taken out of Debian's packages.

    python mini/retrieval.py FOLDER OUT

FOLDER is what `fetch.sh` filled and `corpus.py` read: `packages.jsonl` are packages that the model in the program was
not trained on. Written are two folders in BEIR's layout. In `OUT/packages` a query is the short description of a Debian
package, and its long one, without the name, is to be found among 5,000. In `OUT/words` a query is WordNet's definition of a
noun with one meaning, and GCIDE's entry of the same word is to be found among 20,000; entries were partly seen in
training, but never beside WordNet's.
"""

import argparse
import json
import os
import random

import sources

N_ENTRIES = 20_000
N_QUERIES = 2_000
MAX_CHARS = 600


def write(path, rows):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf8") as file:
        file.writelines(rows)


def beir(folder, documents, queries, right):
    """Texts by their ids, and the id of the document that each query is to find."""
    for name, texts in (("corpus", documents), ("queries", queries)):
        rows = (json.dumps({"_id": key, "text": text}, ensure_ascii=False) + "\n" for key, text in texts.items())
        write(os.path.join(folder, f"{name}.jsonl"), rows)
    judged = (f"{query}\t{document}\t1\n" for query, document in right.items())
    write(os.path.join(folder, "qrels", "test.tsv"), ["query-id\tcorpus-id\tscore\n", *judged])
    print(f"{folder}: {len(queries):,} queries, {len(documents):,} documents")


def packages(folder):
    with open(os.path.join(folder, "packages.jsonl"), encoding="utf8") as file:
        rows = [json.loads(line) for line in file]
    names = [row["name"] for row in rows]
    shorts, longs = ({row["name"]: row[key] for row in rows} for key in ("short", "long"))
    return longs, shorts, dict(zip(names, names))


def words(folder):
    chance = random.Random("words")
    entries = {}
    for word, text in sources.dictionary(folder, "gcide"):
        if word.isalpha() and word not in entries and len(text) >= 40:
            entries[word] = sources.squeezed(text)[:MAX_CHARS]
    meanings = {}
    for _, lemmas, definition, _, _ in sources.synsets(folder, "noun"):
        for lemma in lemmas:
            meanings.setdefault(lemma.lower(), []).append(definition)
    single = [word for word, of in sorted(meanings.items()) if len(of) == 1 and word in entries and len(of[0]) >= 20]
    # A definition that says the word is found by its letters.
    asked = [word for word in single if word not in meanings[word][0].lower()]
    asked = chance.sample(asked, min(N_QUERIES, len(asked)))
    others = sorted(set(entries) - set(asked))
    kept = sorted([*asked, *chance.sample(others, N_ENTRIES - len(asked))])
    queries = {f"q-{word}": meanings[word][0] for word in sorted(asked)}
    return {word: entries[word] for word in kept}, queries, {query: query[2:] for query in queries}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder")
    parser.add_argument("out")
    arguments = parser.parse_args()
    beir(os.path.join(arguments.out, "packages"), *packages(arguments.folder))
    beir(os.path.join(arguments.out, "words"), *words(arguments.folder))


if __name__ == "__main__":
    main()
