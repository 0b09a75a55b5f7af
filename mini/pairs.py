"""Pairs of texts that belong together, for the last pass: a question and its answer, a name and what it names.

    python mini/pairs.py FOLDER [--pairs N]

FOLDER is what `fetch.sh` filled, with the teacher's principal directions. Written there: `pairs/texts.jsonl`, two
lines for each pair in a seeded order, and `pairs/targets.npy`. So a step of 256 texts has 128 pairs, and learns how
much nearer the two of a pair are than others. The packages and the questions that models are measured on are left out.
"""

import argparse
import collections
import os

import corpus
import phrases
import sources
import teacher

MAX_CHARS = 600
# Each word is asked for by its definition or explained; only so many of WordNet's, which are the most.
WORDNET_SHARE = 0.3


class Pairs:
    """Pairs by source, without what is excluded."""

    def __init__(self, excluded):
        self.pairs, self.excluded, self.counts = {}, excluded, collections.Counter()

    def add(self, source, anchor, positive):
        pair = tuple(sources.squeezed(text or "")[:MAX_CHARS] for text in (anchor, positive))
        keys = [corpus.key(text) for text in pair]
        if all(keys) and keys[0] != keys[1] and pair not in self.pairs and not self.excluded & set(keys):
            self.pairs[pair] = source
            self.counts[source] += 1


def asked(chance, frames, **words):
    return phrases.cased(chance, chance.choice(frames).format(**words))


def add_packages(pairs, packages):
    chance = corpus.seeded("pairs of descriptions")
    for name, _, short, long in packages:
        pairs.add("debian", short, long)
        if chance.random() < 0.2:
            pairs.add("debian", asked(chance, phrases.TOOLS, t=short), f"{name}: {long}")


def add_encyclopedia(pairs, folder):
    chance = corpus.seeded("pairs of the encyclopedia")
    for title, extract, description, topic in sources.encyclopedia(folder):
        frames = phrases.TOPICS.get(topic, phrases.TOPICS[""])
        sentences = list(sources.sentences(extract))
        pairs.add("wikipedia", asked(chance, frames, t=title), extract)
        for sentence in sentences[:3]:
            pairs.add("wikipedia", asked(chance, frames, t=title), sentence)
            pairs.add("wikipedia", phrases.keywords(chance, sentence), sentence)
        if description:
            pairs.add("wikipedia", asked(chance, phrases.NAMING, d=description), title)
            pairs.add("wikipedia", asked(chance, frames, t=title), description)


def add_wordnet(pairs, folder):
    chance = corpus.seeded("pairs of words")
    for part in ("noun", "verb", "adj"):
        for _, lemmas, definition, examples, _ in sources.synsets(folder, part):
            if chance.random() < WORDNET_SHARE:
                pairs.add("wordnet", asked(chance, phrases.WHAT[:6], n=lemmas[0]), definition)
                pairs.add("wordnet", asked(chance, phrases.NAMING, d=definition.split(";")[0]), lemmas[-1])
                for example in examples[:1]:
                    pairs.add("wordnet", definition, example)


def add_cooking(pairs, folder):
    chance = corpus.seeded("pairs of recipes")
    for title, _, ingredients, steps in sources.recipes(folder):
        pairs.add("wikibooks-cookbook", asked(chance, phrases.COOKING, t=title), ", ".join(ingredients))
        pairs.add("wikibooks-cookbook", asked(chance, phrases.COOKING, t=title), " ".join(steps))


def add_dictionaries(pairs, folder):
    chance = corpus.seeded("pairs of dictionaries")
    for name in ("foldoc", "jargon", "elements"):
        for word, text in sources.dictionary(folder, name):
            pairs.add(name, asked(chance, phrases.WHAT[:6], n=word), text)


def add_facts(pairs, folder):
    chance = corpus.seeded("pairs of facts")
    facts = [("randfacts", sources.loose_facts(folder)), ("fortunes", sources.fortunes(folder))]
    for source, texts in facts:
        for text in texts:
            pairs.add(source, phrases.keywords(chance, text), text)
    for turns in sources.conversations(folder):
        for question, answer in zip(turns, turns[1:]):
            pairs.add("chatterbot-corpus", question, answer)
    for question, answer in sources.quizzes(folder):
        pairs.add("bsdgames", question, answer)
    for name, _, description, uses, *_ in sources.elements(folder):
        pairs.add("mendeleev", f"What is {name}?", description)
        pairs.add("mendeleev", f"What is {name} used for?", uses)
    for term, explanation in sources.chemistry(folder):
        pairs.add("kalzium", f"What is {term}?", explanation)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder")
    parser.add_argument("--pairs", type=int, default=20_000, help="no more than so many")
    arguments = parser.parse_args()
    folder = arguments.folder
    _, lines, rest = corpus.held_out_packages(folder)
    pairs = Pairs(lines | corpus.own_questions() | {corpus.key(text) for text in corpus.EXAMPLE})
    add_packages(pairs, rest)
    for add in (add_encyclopedia, add_wordnet, add_cooking, add_dictionaries, add_facts):
        add(pairs, folder)
    chosen = list(pairs.pairs)
    corpus.seeded("order of pairs").shuffle(chosen)
    texts = [text for pair in chosen[: arguments.pairs] for text in pair]
    os.makedirs(os.path.join(folder, "pairs"), exist_ok=True)
    corpus.write(folder, os.path.join("pairs", "texts.jsonl"), ({"text": text} for text in texts))
    vectors = teacher.teacher_of(folder).encode(texts)
    targets = teacher.projected(vectors, teacher.principal(folder)).astype("float16")
    teacher.save(os.path.join(folder, "pairs", "targets.npy"), targets)
    for source, count in pairs.counts.most_common():
        print(f"{count:9,}  {source}")
    print(f"{len(texts) // 2:9,}  of them learned")


if __name__ == "__main__":
    main()
