"""Writes the texts for distillation, and what is held out of them.

    python mini/corpus.py FOLDER [--texts N]

FOLDER is what `fetch.sh` filled. Written there: `texts.jsonl`, a line `{"text": …}` per text in a seeded order, so that
any first part of it is a fair sample; `held.jsonl`, 2,000 texts of the same kind; `packages.jsonl`, 5,000 of Debian's
packages with both descriptions, none of whose lines is among the texts; `corpus.json`, the counts by source.
"""

import argparse
import collections
import json
import os
import random
import re

import phrases
import sources

SEED = 15
NO_WORD = re.compile(r"[\W_]+")
N_HELD = 2000
N_PACKAGES = 5000
MAX_CHARS = 700
MAX_LONG_CHARS = 1200
HERE = os.path.dirname(os.path.abspath(__file__))
# The example of the model card, whose similarities are a measure.
EXAMPLE = [
    "What is the capital of China?",
    "Explain gravity",
    "The capital of China is Beijing.",
    "Gravity is a force that attracts two bodies towards each other. It gives weight to physical objects and is "
    "responsible for the movement of planets around the sun.",
]


def key(text):
    """What two texts have in common that are the same but for capitals and marks."""
    return NO_WORD.sub(" ", text.lower()).strip()


class Corpus:
    """Texts by their keys, each once; those of `excluded` never."""

    def __init__(self, excluded):
        self.texts, self.excluded, self.counts = {}, excluded, collections.Counter()

    def add(self, source, text, max_chars=MAX_CHARS):
        text = sources.squeezed(text or "")
        name = key(text)
        if 3 <= len(text) <= max_chars and name and name not in self.excluded and text not in self.texts:
            self.texts[text] = source
            self.counts[source] += 1


def seeded(name):
    """A generator of its own for each source, so that a new source changes no other."""
    return random.Random(f"{SEED} {name}")


def held_out_packages(folder):
    """5,000 packages of as many sources, and the keys of all lines that their sources' packages have."""
    packages = sources.packages(folder)
    by_source = collections.defaultdict(list)
    for package in packages:
        by_source[package[1]].append(package)
    shorts = collections.Counter(key(package[2]) for package in packages)
    longs = collections.Counter(key(package[3]) for package in packages)
    candidates = []
    for name in sorted(by_source):
        usable = [
            package for package in by_source[name]
            if shorts[key(package[2])] == 1 and longs[key(package[3])] == 1 and len(package[3]) >= 80
        ]
        if usable:
            candidates.append(usable[0])
    held = seeded("packages").sample(candidates, N_PACKAGES)
    held_sources = {package[1] for package in held}
    lines = {key(part) for package in packages if package[1] in held_sources for part in package_parts(package)}
    rest = [package for package in packages if package[1] not in held_sources]
    return held, lines, rest


def package_parts(package):
    """The short description, the whole long one, its paragraphs and their sentences."""
    _, _, short, long = package
    yield short
    yield sources.squeezed(long)
    for paragraph in long.split("\n\n"):
        yield sources.squeezed(paragraph)
        yield from sources.sentences(paragraph)


def add_wordnet(corpus, folder):
    chance = seeded("wordnet")
    for part in ("noun", "verb", "adj", "adv"):
        synsets = list(sources.synsets(folder, part))
        words = {offset: lemmas[0] for offset, lemmas, *_ in synsets}
        for _, lemmas, definition, examples, general in synsets:
            corpus.add("wordnet", chance.choice([definition, f"{lemmas[0]}: {definition}"]))
            for example in examples:
                corpus.add("wordnet", example)
            if chance.random() < 0.5:
                corpus.add("wordnet", ", ".join(lemmas))
            if chance.random() < 0.25:
                frame = chance.choice(phrases.WHAT)
                other = words.get(general[0], "others") if general else "others"
                corpus.add("wordnet-made", phrases.cased(chance, frame.format(n=lemmas[0], m=other)))
            if chance.random() < 0.15:
                text = chance.choice(phrases.NAMING).format(d=definition.split(";")[0])
                corpus.add("wordnet-made", phrases.cased(chance, text))
            if part == "noun" and general and general[0] in words and chance.random() < 0.3:
                corpus.add("wordnet-made", f"A {lemmas[-1]} is a kind of {words[general[0]]}.")


def add_dictionaries(corpus, folder):
    chance = seeded("dictionaries")
    for name, rate in (("gcide", 0.2), ("foldoc", 0.5), ("jargon", 1), ("devil", 1), ("vera", 0.5), ("elements", 1)):
        for text in sources.dictionary_sentences(folder, name):
            if chance.random() < rate:
                corpus.add(name, text)
    for name in ("foldoc", "jargon"):
        for _, text in sources.dictionary(folder, name):
            corpus.add(name, sources.squeezed(text)[:MAX_CHARS])


def add_packages(corpus, packages):
    chance = seeded("descriptions")
    for package in packages:
        name, _, short, long = package
        corpus.add("debian", short)
        if chance.random() < 0.4:
            frame = chance.choice(phrases.TOOLS)
            corpus.add("debian-made", phrases.cased(chance, frame.format(t=short)))
        if chance.random() < 0.15:
            corpus.add("debian-made", f"{name}: {short}")
        if chance.random() < 0.4:
            corpus.add("debian", long, MAX_LONG_CHARS)
        for part in list(package_parts(package))[2:]:
            corpus.add("debian", part)
            if chance.random() < 0.1:
                corpus.add("debian-made", phrases.keywords(chance, part))


def add_manuals(corpus, folder):
    rates = {"python3.11-doc": 0.25, "postgresql-doc-15": 0.25, "git-doc": 0.5, "anarchism": 0.5}
    for name in sources.MANUALS:
        chance = seeded(name)
        for text in sources.manual(folder, name):
            if chance.random() < rates.get(name, 1):
                corpus.add(name, text)
                if chance.random() < 0.1:
                    corpus.add("manuals-made", phrases.keywords(chance, text))


def add_encyclopedia(corpus, folder):
    chance = seeded("encyclopedia")
    for title, extract, description, topic in sources.encyclopedia(folder):
        corpus.add("wikipedia", extract, MAX_LONG_CHARS)
        corpus.add("wikipedia", f"{title}: {description}")
        corpus.add("wikipedia", title)
        frames = phrases.TOPICS.get(topic, phrases.TOPICS[""])
        for frame in chance.sample(frames, min(5, len(frames))):
            corpus.add("wikipedia-made", phrases.cased(chance, frame.format(t=title)))
        if description:
            for frame in chance.sample(phrases.NAMING, 2):
                corpus.add("wikipedia-made", phrases.cased(chance, frame.format(d=description)))
        for sentence in sources.sentences(extract):
            corpus.add("wikipedia", sentence)
            add_forms(corpus, chance, "wikipedia-made", sentence, 3)


def add_forms(corpus, chance, source, sentence, n):
    """`n` forms of a sentence: as a question, as keywords, parts of it."""
    corpus.add(source, phrases.turned(chance, sentence))
    for _ in range(n):
        form = chance.choice([phrases.keywords, phrases.window])
        corpus.add(source, form(chance, sentence))


def add_cooking(corpus, folder):
    chance = seeded("cooking")
    for title, kind, ingredients, steps in sources.recipes(folder):
        corpus.add("wikibooks-cookbook", f"{title}: {', '.join(ingredients)}")
        corpus.add("wikibooks-cookbook", f"{title} ({kind})")
        corpus.add("wikibooks-cookbook", f"{title}. {' '.join(steps)}"[:MAX_LONG_CHARS], MAX_LONG_CHARS)
        for text in [*ingredients, *steps, *(part for step in steps for part in sources.sentences(step))]:
            corpus.add("wikibooks-cookbook", text)
        for frame in chance.sample(phrases.COOKING, 4):
            corpus.add("cookbook-made", phrases.cased(chance, frame.format(t=title)))
        for step in steps:
            add_forms(corpus, chance, "cookbook-made", step, 1)


def add_facts(corpus, folder):
    chance = seeded("facts")
    for name, texts in (("randfacts", sources.loose_facts(folder)), ("fortunes", sources.fortunes(folder))):
        for text in texts:
            corpus.add(name, text)
            for sentence in sources.sentences(text):
                corpus.add(name, sentence)
                add_forms(corpus, chance, f"{name}-made", sentence, 2)
    for turns in sources.conversations(folder):
        for turn in [*turns, " ".join(turns)]:
            corpus.add("chatterbot-corpus", turn)
            corpus.add("chatterbot-made", turn.lower().rstrip("?.!"))
    for question, answer in sources.quizzes(folder):
        for text in (question, answer, f"{question}: {answer}", f"{answer} and {question}"):
            corpus.add("bsdgames", text)
    for name, symbol, description, uses, origin, who, year in sources.elements(folder):
        for text in sources.sentences(f"{description or ''} {uses or ''} {origin or ''}"):
            corpus.add("mendeleev", f"{name}: {text}")
            add_forms(corpus, chance, "mendeleev-made", text, 2)
        made = [f"What is the chemical symbol of {name}?", f"The symbol {symbol} stands for {name}.", f"Who discovered {name}?"]
        for text in [*made, f"{name} was discovered by {who} in {year}.", f"What is {name} used for?", f"{name} is an element."]:
            corpus.add("mendeleev-made", text)
    for term, explanation in sources.chemistry(folder):
        for text in (f"{term}: {explanation}", explanation, f"What is {term}?"):
            corpus.add("kalzium", text)


def add_geography(corpus, folder):
    chance = seeded("geography")
    for entry in sources.countries(folder):
        for text in phrases.of_country(chance, entry):
            corpus.add("countries-made", text)
        for province in entry.get("provinces", []):
            corpus.add("countryinfo", f"{province}, {entry['name']}")
    for division in sources.divisions(folder):
        for text in phrases.of_division(chance, *division):
            corpus.add("kgeography-made", text)


def add_made(corpus, folder, n):
    """Texts of random common words, until there are `n` in all."""
    chance = seeded("words")
    nouns = list(sources.common_words(folder, "noun")) + 4 * list(sources.common_words(folder, "noun", 5))
    verbs = list(sources.common_words(folder, "verb", 2)) + 2 * list(sources.common_words(folder, "verb", 10))
    adjectives = list(sources.common_words(folder, "adj", 2))
    while len(corpus.texts) < n:
        corpus.add("words-made", phrases.from_words(chance, nouns, verbs, adjectives))


def own_questions():
    with open(os.path.join(HERE, "questions.jsonl"), encoding="utf8") as file:
        pairs = [json.loads(line) for line in file]
    return {key(pair[side]) for pair in pairs for side in ("question", "answer")}


def write(folder, name, rows):
    path = os.path.join(folder, name)
    with open(path + ".part", "w", encoding="utf8") as file:
        file.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    os.replace(path + ".part", path)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder")
    parser.add_argument("--texts", type=int, default=1_600_000, help="texts in all, the held-out ones included")
    arguments = parser.parse_args()
    folder = arguments.folder
    held, lines, rest = held_out_packages(folder)
    corpus = Corpus(lines | own_questions() | {key(text) for text in EXAMPLE})
    add_packages(corpus, rest)
    for add in (add_wordnet, add_dictionaries, add_manuals, add_encyclopedia, add_cooking, add_facts, add_geography):
        add(corpus, folder)
    add_made(corpus, folder, arguments.texts)
    texts = list(corpus.texts)
    seeded("order").shuffle(texts)
    write(folder, "packages.jsonl", ({"name": p[0], "short": p[2], "long": sources.squeezed(p[3])} for p in held))
    write(folder, "held.jsonl", ({"text": text} for text in texts[:N_HELD]))
    write(folder, "corpus.json", [dict(corpus.counts.most_common())])
    # A text beside one that is the same but for capitals and marks would not be held out.
    held_keys = {key(text) for text in texts[:N_HELD]}
    kept = [text for text in texts[N_HELD:] if key(text) not in held_keys]
    write(folder, "texts.jsonl", ({"text": text, "source": corpus.texts[text]} for text in kept))
    for source, count in corpus.counts.most_common():
        print(f"{count:9,}  {source}")
    print(f"{len(kept):9,}  texts, {sum(map(len, kept)) / len(kept):.0f} characters on average")


if __name__ == "__main__":
    main()
