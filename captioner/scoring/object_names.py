"""Whether a caption names the object that a label says: in the label's words, by another name, or by the CNN's noun for it.

The labels are read by `captioner.data.labels`.
"""

import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from captioner.vision.nouns import nouns
from captioner.vocabulary import tokenize

OTHER_NAMES = Path(__file__).with_name("object_names.tsv")
_BETWEEN = re.compile(r",| with | or | and | of ")  # the nouns of a label that is a phrase
_NOT_NAMES = ("a", "the", "pair", "piece", "head")  # of the objects in such a label
_IRREGULAR = {"child": "children", "goose": "geese", "mouse": "mice", "person": "people", "tooth": "teeth"}

Name = tuple[str, ...]  # its words


def accepted(label: str, noun: str = "") -> set[Name]:
    """The names that count for a label; `noun` is the CNN's for the class that the label is the name of.

    Each noun of a phrase counts, and the last word of a name of several words.

    >>> sorted(accepted("room with chair or grand piano"))
    [('chair',), ('grand', 'piano'), ('piano',), ('room',)]
    """
    names = [noun] if noun else []
    for words in _parts(label):
        name = " ".join(words)
        names += [name] if name in other_names() else [name, *words[-1:]]
    return {tuple(tokenize(one)) for name in names if name for one in (name, *other_names().get(name, ()))}


def last_words(label: str) -> list[str]:
    """The last word of each part of a label, which says what it is.

    >>> last_words("pair of running shoes, with laces")
    ['shoes', 'laces']
    """
    return list(dict.fromkeys(words[-1] for words in _parts(label) if words))


def _parts(label: str) -> list[list[str]]:
    """The names in a label, each as its words."""
    return [[word for word in tokenize(part) if word not in _NOT_NAMES] for part in _BETWEEN.split(label)]


def named(caption: str, names: set[Name]) -> bool:
    """Whether one of the names is in the caption, singular or plural.

    >>> named("Three knives on a plate.", {("knife",)})
    True
    """
    words = tokenize(caption)
    return any(_is_at(words[place:], name) for name in names for place in range(len(words)))


def share_named(captions: Mapping[str, str], labels: Mapping[str, str]) -> float:
    """The share of the captions, by photograph, that name the object of the photograph's label."""
    names = {label: accepted(label, noun_of(label)) for label in set(labels.values())}
    return sum(named(caption, names[labels[photograph]]) for photograph, caption in captions.items()) / len(captions)


def noun_of(label: str) -> str:
    """The CNN's noun for the class that the label names, in the singular or plural; empty if there is no such class."""
    *before, last = tokenize(label) or [""]
    names = (" ".join([*before, form]) for form in (last, *sorted(forms(last))))
    return next((_class_nouns()[name] for name in names if name in _class_nouns()), "")


@cache
def _class_nouns() -> dict[str, str]:
    """The nouns of the CNN's classes by the words of the classes' names."""
    found: dict[str, str] = {}
    for name, noun in zip(nouns().class_names, nouns().noun_of_class, strict=True):
        if noun:  # The crane that is a bird comes before the other one.
            found.setdefault(" ".join(tokenize(name)), noun)
    return found


@cache
def other_names() -> dict[str, tuple[str, ...]]:
    """The rows of `object_names.tsv`."""
    rows = [line.split("\t") for line in OTHER_NAMES.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
    return {name: tuple(others.split(", ")) for name, others in rows}


def _is_at(words: list[str], name: Name) -> bool:
    *before, last = name
    return words[: len(before)] == before and len(words) > len(before) and words[len(before)] in forms(last)


@cache
def forms(word: str) -> frozenset[str]:
    """The word, its plural and its singular; some that do not exist do no harm."""
    found = {word, f"{word}s", f"{word}es", _IRREGULAR.get(word, word)}
    ends = (("y", "ies"), ("f", "ves"), ("fe", "ves"), ("man", "men"))
    found |= {word.removesuffix(end) + plural for end, plural in ends if word.endswith(end)}
    found |= {word.removesuffix(plural) + end for end, plural in (*ends, ("", "es"), ("", "s")) if word.endswith(plural)}
    return frozenset(found)
