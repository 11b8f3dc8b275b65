"""What an experiment withholds from training: photographs and sentences with certain objects, or all but some photographs.

The vectors of frozen tables still learn from the text of the withheld captions: a word may be read about and never taught.
"""

import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from captioner.data.datasets import Record
from captioner.errors import ConfigError
from captioner.training.run_inputs import Withheld
from captioner.vocabulary import tokenize


@dataclass(frozen=True)
class Unseen:
    """An object that is never taught: the noun that the CNN's table has for it, and the words by which captions name it."""

    name: str
    noun: str
    words: frozenset[str]

    def is_named(self, caption: str) -> bool:
        return not self.words.isdisjoint(tokenize(caption))


# By object, the CNN's noun and the words of the captions that name it. A bike may be a motorcycle, and one may swing a bat;
# naming is counted only where the CNN's noun is in a slot.
_NAMES = {
    "bike": ("bike", "bicycle bicycles bicyclist bicyclists bike bikes biker bikers biking cyclist cyclists cycling"),
    "motorcycle": ("motorcycle", "motorcycle motorcycles motorcyclist motorcyclists motorbike motorbikes moped mopeds"),
    "basketball": ("basketball", "basketball basketballs"),
    "ski": ("skis", "ski skis skiis skier skiers skiiers skiing"),
    "swing": ("swing", "swing swings swinging"),
    "soccer": ("soccer", "soccer"),
    "canoe": ("canoe", "canoe canoes canoer canoers canoeing kayak kayaks kayaker kayakers kayaking"),
    "guitar": ("guitar", "guitar guitars guitarist guitarists"),
    "cat": ("cat", "cat cats kitten kittens kitty"),
    "pizza": ("pizza", "pizza pizzas"),
    "laptop": ("laptop", "laptop laptops"),
    "bus": ("bus", "bus buses busses"),
}
OBJECTS = tuple(Unseen(name, noun, frozenset(words.split())) for name, (noun, words) in _NAMES.items())
# Compounds and misspellings of these words. They are withheld too: FastText would compose the object's vector of the same pieces.
_ALSO = """
    bicycler bicyclers bicycling bicylist dirtbike dirtbikes minibike motorcross motocross motorcylce motorcyle motercycle
    waterski waterskis waterskies waterskier waterskiers waterskiing schoolbus buss minibus soccerball
"""
WORDS = frozenset(_ALSO.split()).union(*(one.words for one in OBJECTS))


@dataclass(frozen=True)
class Part:
    """The part of the training photographs that a trial learns from, written as `unseen`, `unseen+5` or `300`.

    >>> str(Part.read("unseen+5")), Part.read("unseen+5").shots, Part.read("300").photographs
    ('unseen+5', 5, 300)
    """

    unseen: bool = False  # without photographs of the objects
    shots: int = 0  # the number of photographs of each object that are trained on all the same
    photographs: int = 0  # their number; 0 for all

    @classmethod
    def read(cls, text: str) -> "Part":
        name, _, shots = text.partition("+")
        if text == "unseen" or (name == "unseen" and shots.isdecimal() and int(shots)):
            return cls(unseen=True, shots=int(shots or 0))
        if not text or text.isdecimal():
            return cls(photographs=int(text or 0))
        raise ConfigError(f"There is no part '{text}' of the training photographs; write unseen, unseen+5 or 300, for example.")

    def __str__(self) -> str:
        return "unseen" + f"+{self.shots}" * bool(self.shots) if self.unseen else str(self.photographs or "")

    def divide(self, records: Sequence[Record], seed: int) -> tuple[tuple[Record, ...], Withheld]:
        """The photographs to train on, and what is withheld; which photographs come first follows from the seed."""
        if self.unseen:
            back = _few_of_each(records, self.shots, seed)
            kept = tuple(record for record in records if record in back or not any(map(names_an_object, record.captions)))
            own = set(kept)
            return kept, Withheld(tuple(record for record in records if record not in own), WORDS)
        if self.photographs > len(records):
            raise ConfigError(f"There are {len(records)} training photographs, not {self.photographs}.")
        first = set(_in_order(records, seed)[: self.photographs or None])
        return tuple(record for record in records if record in first), Withheld()


def names_an_object(caption: str) -> bool:
    return not WORDS.isdisjoint(tokenize(caption))


def _few_of_each(records: Sequence[Record], count: int, seed: int) -> set[Record]:
    """At most so many photographs of each object; one that would be too many of another object is passed over."""
    counts, back = Counter[str](), set()
    for record in _in_order(records, seed) if count else ():
        shown = [one.name for one in OBJECTS if any(map(one.is_named, record.captions))]
        if shown and all(counts[name] < count for name in shown):
            counts.update(shown)
            back.add(record)
    return back


def _in_order(records: Iterable[Record], seed: int) -> list[Record]:
    """The photographs in an order of their own for each seed: a smaller part lies within a larger one."""
    return sorted(records, key=lambda record: hashlib.sha256(f"{seed} {record.origin} {record.name}".encode()).digest())
