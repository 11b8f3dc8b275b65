"""How captions are worded, whatever is on the photographs: their length, their variety, and what they repeat.

Whether they fit the photographs is left to `captioner.metrics`.
"""

from collections import Counter
from collections.abc import Sequence, Set
from dataclasses import dataclass, fields
from itertools import pairwise

from captioner.vocabulary import tokenize

Words = tuple[str, ...]


@dataclass(frozen=True)
class Wording:
    """Counts over one caption for each photograph; a mean over several such sets need not be whole numbers."""

    mean_words: float
    distinct_captions: float
    different_words: float
    repeating: float  # the share in which two neighbouring words stand twice
    copied: float | None  # the share that stands among the training captions, where there are any


def worded(captions: Sequence[str], training: Set[Words] = frozenset()) -> Wording:
    """
    >>> worded(["a dog runs", "a dog and a dog"], {("a", "dog", "runs")})
    Wording(mean_words=4.0, distinct_captions=2, different_words=4, repeating=0.5, copied=0.5)
    """
    cut = [tuple(tokenize(caption)) for caption in captions]
    return Wording(
        mean_words=sum(map(len, cut)) / len(cut),
        distinct_captions=len(set(cut)),
        different_words=len({word for words in cut for word in words}),
        repeating=sum(map(_repeats, cut)) / len(cut),
        copied=sum(words in training for words in cut) / len(cut) if training else None,
    )


def mean(several: Sequence[Wording]) -> Wording:
    """Every figure's mean; all of them know training captions, or none does."""
    columns = {field.name: [getattr(one, field.name) for one in several] for field in fields(Wording)}
    return Wording(**{name: None if None in values else sum(values) / len(values) for name, values in columns.items()})


def _repeats(words: Words) -> bool:
    return any(times > 1 for times in Counter(pairwise(words)).values())
