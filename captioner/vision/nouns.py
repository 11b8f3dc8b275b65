"""Everyday nouns for the classes of the CNN: the table, read from `nouns.tsv`, and the strongest nouns of photographs."""

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np

TABLE = Path(__file__).with_name("nouns.tsv")
NOTHING = "-"  # in the table: captions do not name the class

# The regional probability finds things too small for the mean feature, but is noisy: every region has a likeliest class, even
# on an empty wall.
REGIONAL_WEIGHT = 0.3


class Strongest(NamedTuple):
    """The strongest nouns of photographs, in descending order."""

    numbers: np.ndarray  # int32 (pictures, count), -1 where no noun is left
    values: np.ndarray  # float32 (pictures, count, 2): probability and regional probability, zero where no noun is left


@dataclass(frozen=True)
class Nouns:
    """The distinct nouns, whose indices are their numbers, and the noun of each class."""

    words: tuple[str, ...]
    class_names: tuple[str, ...]
    noun_of_class: tuple[str, ...]  # empty where captions do not name the class
    matrix: np.ndarray  # float32 (classes, nouns): 1 where the class has the noun

    def strongest(self, classes: np.ndarray, regional: np.ndarray, count: int, floor: float) -> Strongest:
        """At most `count` nouns per photograph whose strength reaches the floor.

        `classes` and `regional` are probabilities as the encoder gives them, (pictures, classes). Those of classes with the
        same noun are added. Regional probabilities of different places may add up to more than one, so they are clipped.
        """
        both = np.concatenate([classes, regional]) @ self.matrix
        whole, parts = both[: len(classes)], np.minimum(both[len(classes) :], 1)  # (pictures, nouns)
        strengths = whole + REGIONAL_WEIGHT * parts
        numbers = np.argsort(-strengths, axis=1, kind="stable")[:, :count]
        strengths, whole, parts = (np.take_along_axis(each, numbers, axis=1) for each in (strengths, whole, parts))
        enough = strengths >= floor
        values = np.stack([whole, parts], axis=-1) * enough[..., None]
        return Strongest(np.where(enough, numbers, -1).astype(np.int32), values.astype(np.float32))


@cache
def nouns() -> Nouns:
    """The shipped table."""
    rows = [line.split("\t") for line in TABLE.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
    names = tuple(name for _, name, _ in rows)
    of_class = tuple("" if noun == NOTHING else noun for _, _, noun in rows)
    words = tuple(dict.fromkeys(filter(None, of_class)))
    matrix = np.zeros((len(of_class), len(words)), np.float32)
    for number, noun in enumerate(of_class):
        if noun:
            matrix[number, words.index(noun)] = 1
    return Nouns(words, names, of_class, matrix)
