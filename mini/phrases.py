"""Questions and statements made of words, facts and texts.

The teacher gives any text its vector, so that a made text is as good as a found one; what counts is
that the student sees words of every field in every kind of question.
"""

import re

WHAT = [
    "What is {n}?", "what does {n} mean", "Define {n}.", "explain {n}", "Tell me about {n}", "meaning of {n}",
    "What is {n} used for?", "How does {n} work?", "Why is {n} important?", "Who needs {n}?", "Where do I find {n}?",
    "What is the difference between {n} and {m}?", "Is {n} the same as {m}?", "What has {n} to do with {m}?",
    "What is an example of {n}?", "Where does {n} come from?", "What kinds of {n} are there?",
    "What causes {n}?", "How do you measure {n}?", "Can {n} be dangerous?", "Who invented {n}?", "When was {n} invented?",
]
EVERYDAY = [
    "How do I {v} the {n}?", "How can I {v} my {n} at home?", "What is the best way to {v} {n}?", "Why should you {v} {n}?",
    "When should I {v} the {n}?", "Where can I buy {a} {n}?", "How much does {n} cost?", "What do I need to {v} {n}?",
    "Is it safe to {v} {n}?", "My {n} is {a}, what should I do?", "Which {n} is the most {a}?", "Why is my {n} so {a}?",
    "How long does it take to {v} {n}?", "What happens if you {v} {n} and {m}?", "Can I {v} {n} without {m}?",
    "Who can help me to {v} the {n}?", "What should I wear to {v} {n}?", "How often should I {v} my {n}?",
    "Where do people keep their {n}?", "What do children learn about {n}?", "Do I have to pay for {n}?",
    "What do you do with {n} in the {m}?", "Why do people {v}?", "Why do some {n} {v} and others not?",
    "how to {v} {n}", "{n} {m}", "{a} {n}", "best {n} for {m}", "{v} {n} fast", "cheap {n} near me", "{n} vs {m}",
    "I can't {v} the {n}.", "I want to {v} {a} {n}.", "What do I do when the {n} won't {v}?", "Should I {v} or {w}?",
    "Which part of the {n} is {a}?", "How do {n} {v}?", "Who is responsible for the {n}?", "What color is the {n}?",
    "What is a good {n} for a {a} {m}?", "How many {n} does a {m} have?", "What makes {n} {a}?", "Is {n} good for {m}?",
    "What did people use before {n}?", "What do you call someone who likes {n}?", "Tell me how to {v} {a} {n}.",
]
STATEMENTS = [
    "The {n} is {a}.", "You need {n} to {v} {m}.", "To {v} {n}, first {w} the {m}.", "Most {n} are {a}.",
    "Turn off the {n} before you {v} it.", "{n} and {m} are not the same.", "We {v} the {n} in the {m}.",
    "A {a} {n} can {v} the {m}.", "The {n} should be kept {a}.", "Put the {n} into the {m} and {v} it.",
    "People {v} {n} because it is {a}.", "She wanted to {v} her {n}.", "They {v} every {n} in the {m}.",
    "{n} is often {a} and {b}.", "If the {n} is {a}, {v} it.", "He bought {a} {n} for his {m}.", "It helps against {n}.",
    "It takes some {n} to {v} a {m}.", "Without {n} there is no {m}.", "{n} helps you to {v}.", "Never {v} the {n} with {m}.",
    "There was {a} {n} near the {m}.", "The {m} of the {n} was {a}.", "{n}, {m} and {o}", "Ask your {n} about {m}.",
]
CAPITAL = [
    ("What is the capital of {x}?", "The capital of {x} is {y}."),
    ("Which city is the capital of {x}?", "{y} is the capital of {x}."),
    ("capital of {x}", "{y}, {x}"), ("{y} is the capital of which country?", "{y} is a city in {x}."),
    ("Where is the government of {x}?", "The government of {x} sits in {y}."),
    ("Is {y} in {x}?", "{x}'s capital city is called {y}."), ("{x} capital city", "You find {y} in {x}."),
    ("In which country is {y}?", "{y} is the seat of government of {x}."), ("Where is {y}?", "{y} lies in {x}."),
]
COUNTRY = [
    ("What do people in {x} speak?", "People in {x} speak {l}."), ("What is the official language of {x}?", "{l} is spoken in {x}."),
    ("Which continent is {x} on?", "{x} is a country in {r}."), ("Where is {x}?", "{x} lies in {s}."),
    ("How many people live in {x}?", "About {p} people live in {x}."), ("What is the population of {x}?", "{x} has {p} inhabitants."),
    ("Who are the neighbours of {x}?", "{x} has a border with {b}."), ("Which countries border {x}?", "The neighbours of {x} are {b}."),
    ("What do you call a person from {x}?", "Somebody from {x} is {d}."), ("What money do they use in {x}?", "In {x} you pay in {c}."),
    ("How big is {x}?", "{x} covers {k} square kilometres."), ("Do I need a visa for {x}?", "The flag of {x}"),
    ("What should I see in {x}?", "Travel to {x}"), ("What is the weather like in {x}?", "The history of {x}"),
    ("What do people eat in {x}?", "The food of {x}"), ("flights to {x}", "{d} culture and traditions"),
]
TOPICS = {
    "People": ["Who was {t}?", "When was {t} born?", "What is {t} known for?", "Where did {t} live?", "When did {t} die?",
               "Why is {t} famous?", "What did {t} do?", "biography of {t}", "Tell me about {t}."],
    "": ["What is {t}?", "Tell me about {t}.", "Where is {t}?", "What is {t} made of?", "Explain {t}.", "history of {t}",
         "How does {t} work?", "When did {t} begin?", "Who discovered {t}?", "Why does {t} matter?", "{t} facts",
         "What do I need to know about {t}?", "What are the parts of {t}?", "What is the origin of {t}?"],
}
COOKING = [
    "How do I make {t}?", "recipe for {t}", "What is in {t}?", "How do you cook {t}?", "What do I need for {t}?",
    "How long does {t} take?", "I want to cook {t} tonight.", "What goes well with {t}?", "Is {t} healthy?",
]
TOOLS = [
    "Which program is a {t}?", "I need a {t}.", "software: {t}", "Is there a {t} for Linux?", "package with a {t}",
    "What can I install as {t}?", "{t} free software",
]
NAMING = ["What do you call {d}?", "What is the word for {d}?", "Which thing is {d}?", "one word for {d}", "It is {d}.",
          "Name something that is {d}.", "I am looking for {d}."]
SUBJECT = re.compile(r"^(.{3,60}?),? (is|was|are|were) (an?|the|one of the) (.{12,160}?)[.;]")
SMALL = set("a an the of to in on at for and or is are was were be been by with from as that this it its his her their "
            "which who what how do does did i you we they he she not but if can may will would should than then".split())


def from_words(random, nouns, verbs, adjectives):
    """A question or statement of random common words."""
    kind = random.random()
    frame = random.choice(WHAT if kind < 0.2 else EVERYDAY if kind < 0.65 else STATEMENTS)
    (n, m, o), (v, w), (a, b) = random.sample(nouns, 3), random.sample(verbs, 2), random.sample(adjectives, 2)
    if random.random() < 0.3 and n[-1] not in "sy":
        n += "s"
    text = frame.format(n=n, m=m, o=o, v=v, w=w, a=a, b=b)
    return cased(random, text)


def cased(random, text):
    """The text as people type it: mostly as it is, else without capitals or marks."""
    kind = random.random()
    if kind < 0.12:
        return text.lower()
    if kind < 0.24:
        return text.lower().rstrip("?.!")
    return text[:1].upper() + text[1:] if kind < 0.9 else text


def keywords(random, sentence):
    """What somebody types to find a sentence: some of its words."""
    words = [word for word in re.findall(r"[\w'-]+", sentence) if word.lower() not in SMALL]
    kept = [word for word in words if random.random() < 0.6][: random.randint(2, 6)]
    return " ".join(kept).lower() if random.random() < 0.7 else " ".join(kept)


def window(random, sentence):
    """A part of a sentence, so that the student learns what each part adds."""
    words = sentence.split()
    length = random.randint(2, max(2, min(10, len(words) - 1)))
    start = random.randint(0, max(0, len(words) - length))
    return " ".join(words[start : start + length])


def turned(random, sentence):
    """A statement about a subject as a question about it, or None."""
    found = SUBJECT.match(sentence)
    if not found:
        return None
    subject, verb, article, rest = found.groups()
    subject = re.sub(r"\s*\(.*?\)", "", subject)
    frames = ["Which {rest} {verb} this?", "What {verb} {article} {rest}?", "What {verb} {subject}?", "{article} {rest}",
              "Name {article} {rest}.", "{subject}: {rest}"]
    text = random.choice(frames).format(subject=subject, verb=verb, article=article, rest=rest)
    return cased(random, text)


def of_country(random, facts):
    """Questions and statements about a country of `countryinfo`."""
    name, none = facts["name"], "no other country"
    values = {
        "x": name, "y": facts.get("capital") or name, "r": facts.get("region") or "the world",
        "s": facts.get("subregion") or "the world", "d": facts.get("demonym") or name, "k": facts.get("area") or "few",
        "p": facts.get("population") or "few", "b": ", ".join(facts["borders"]) or none,
        "l": " and ".join(facts["languages"]) or "several languages",
        "c": " and ".join(facts["currencies"]) or "its own currency",
    }
    for question, statement in CAPITAL + COUNTRY:
        yield question.format(**values)
        yield cased(random, question.format(**values))
        yield statement.format(**values)


def of_division(random, country, kind, place, capital):
    """Questions and statements about a part of a country."""
    kind = re.sub(r"ies$", "y", kind.lower()).removesuffix("s")
    yield f"{place} is a {kind} of {country}."
    yield f"The capital of {place} ({country}) is {capital}."
    for question, statement in random.sample(CAPITAL, 3):
        yield cased(random, question.format(x=place, y=capital))
        yield statement.format(x=place, y=capital)
