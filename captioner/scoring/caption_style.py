"""Caption style: length, variety, repetitions, cut-off endings, and recall of rare words.

`captioner.scoring.metrics` measures how well captions fit their photographs.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, fields, replace
from itertools import pairwise
from typing import Any, cast

from captioner.vocabulary import tokenize

Words = tuple[str, ...]

# Range of occurrences in the training captions that makes a word rare, and those of each band of rare words.
RARE = (5, 49)
BANDS = {"rare_5_9": (5, 9), "rare_10_19": (10, 19), "rare_20_49": (20, 49)}

# A caption that ends in one of these words was cut off. Fewer than 1% of their uses in Flickr8k's training captions end a
# caption, which excludes "on", "by", "down", "up", "out", "off", "around", "behind", "outside" ("another looks on"), "her" and
# "can" ("a trash can"). A test checks the list against the captions.
UNENDING = frozenset(
    """
    a an the this that these those each every some any no his its their my your our
    in into onto with without within of from at for to toward towards through throughout over under upon near next beside
    beneath between beyond among amongst amid along across against after before during about atop like via
    and or but nor as while because if when where than who which whose whom
    is are was were be been being has have had having do does did will would could should may might must
    """.split()
)

# Words that captions repeat for their grammar, or to count and to tell apart: "one with a hat and one in a coat".
FUNCTION_WORDS = UNENDING | frozenset(
    """
    on by down up out off around behind outside inside away back together i you he she it we they him her them us who what
    there here which one two three four five another other others both many several much more most only just very so too not
    """.split()
)


@dataclass(frozen=True)
class CaptionStyle:
    """Figures over one caption for each photograph; counts are fractions in a mean over several sets.

    None means not measured, or nothing to measure.
    """

    mean_words: float
    distinct_captions: float
    different_words: float
    repeating: float  # share with a repeated pair of neighbouring words
    copied: float | None = None  # share that is also a training caption
    cut: float | None = None  # share that ends in one of UNENDING
    flawed: float | None = None  # share that repeats or is cut, or both
    says_twice: float | None = None  # share that says a word twice which is not among FUNCTION_WORDS
    rare: float | None = None  # share of the rare words used by people that was found; then by band
    rare_5_9: float | None = None
    rare_10_19: float | None = None
    rare_20_49: float | None = None


def style_of(captions: Sequence[str], training: Set[Words] = frozenset()) -> CaptionStyle:
    """Every figure that needs no references.

    >>> found = style_of(["a dog runs", "a dog and a dog", "a cat in a"], {("a", "dog", "runs")})
    >>> found.mean_words, found.distinct_captions, found.different_words
    (4.0, 3, 6)
    >>> [round(share, 2) for share in (found.repeating, found.copied, found.cut, found.flawed, found.says_twice)]
    [0.33, 0.33, 0.33, 0.67, 0.33]
    """
    texts = [tuple(tokenize(caption)) for caption in captions]
    return CaptionStyle(
        mean_words=sum(map(len, texts)) / len(texts),
        distinct_captions=len(set(texts)),
        different_words=len({word for words in texts for word in words}),
        repeating=sum(map(repeats, texts)) / len(texts),
        copied=sum(words in training for words in texts) / len(texts) if training else None,
        cut=sum(map(is_cut, texts)) / len(texts),
        flawed=sum(repeats(words) or is_cut(words) for words in texts) / len(texts),
        says_twice=sum(map(says_twice, texts)) / len(texts),
    )


def rare_recall(
    captions: Sequence[str], references: Sequence[Sequence[str]], occurrences: Mapping[str, int]
) -> dict[str, float | None]:
    """The share of the rare words used by people for a photograph that its caption has too, in total and by band.

    A word counts once for each photograph, however many people used it. `occurrences` counts words in the training captions.

    >>> rare_recall(["a poodle runs", "a dog"], [["a poodle", "one poodle barks"], ["a whippet"]], {"poodle": 7, "whippet": 30})
    {'rare': 0.5, 'rare_5_9': 1.0, 'rare_10_19': None, 'rare_20_49': 0.0}
    """
    used: Counter[str] = Counter()
    found: Counter[str] = Counter()
    rows = {"rare": RARE} | BANDS
    for caption, people in zip(captions, references, strict=True):
        words, theirs = set(tokenize(caption)), {word for text in people for word in tokenize(text)}
        for word in theirs:
            bands = [name for name, (least, most) in rows.items() if least <= occurrences.get(word, 0) <= most]
            used.update(bands)
            found.update(bands if word in words else ())
    return {name: found[name] / used[name] if used[name] else None for name in rows}


def occurrences(captions: Iterable[str]) -> Counter[str]:
    """The number of occurrences of each word."""
    return Counter(word for caption in captions for word in tokenize(caption))


@dataclass(frozen=True)
class TrainingCaptions:
    """The training captions and the occurrences of each word in them."""

    captions: frozenset[Words]
    occurrences: Counter[str]

    @classmethod
    def of(cls, captions: Sequence[str]) -> "TrainingCaptions":
        return cls(frozenset(tuple(tokenize(caption)) for caption in captions), occurrences(captions))

    def judge(self, captions: Sequence[str], references: Sequence[Sequence[str]]) -> CaptionStyle:
        """Every figure of one caption for each photograph."""
        return replace(style_of(captions, self.captions), **cast(Any, rare_recall(captions, references, self.occurrences)))


def unique_words(counts: Mapping[str, Mapping[str, int]]) -> dict[str, dict[str, int]]:
    """By decoder, the words that no other decoder uses with their counts, commonest first.

    >>> unique_words({"learned": {"dog": 1, "cat": 1}, "fasttext": {"puppy": 2, "cat": 1, "runs": 1}})
    {'learned': {'dog': 1}, 'fasttext': {'puppy': 2, 'runs': 1}}
    """
    users = Counter(word for words in counts.values() for word in words)
    own = {name: [word for word in words if users[word] == 1] for name, words in counts.items()}
    return {
        name: {word: counts[name][word] for word in sorted(words, key=lambda word: (-counts[name][word], word))}
        for name, words in own.items()
    }


def mean(several: Sequence[CaptionStyle]) -> CaptionStyle:
    """The mean of every figure; None if any of them lacks it."""
    columns = {field.name: [getattr(one, field.name) for one in several] for field in fields(CaptionStyle)}
    means: Any = {name: None if None in values else sum(values) / len(values) for name, values in columns.items()}
    return CaptionStyle(**means)


def repeats(words: Sequence[str]) -> bool:
    """Whether a pair of neighbouring words occurs twice.

    >>> repeats("a man on a bike on a bike".split()), repeats("a man on a bike".split())
    (True, False)
    """
    return any(times > 1 for times in Counter(pairwise(words)).values())


def says_twice(words: Sequence[str]) -> bool:
    """Whether a content word, one that is not among FUNCTION_WORDS, occurs twice.

    >>> says_twice("a pizza on top of a pizza".split()), says_twice("a man on a bike on a road".split())
    (True, False)
    """
    return any(times > 1 for times in Counter(word for word in words if word not in FUNCTION_WORDS).values())


def is_cut(words: Sequence[str]) -> bool:
    """Whether the last word is one of UNENDING."""
    return bool(words) and words[-1] in UNENDING
