"""How captions are worded: their length and variety, what they repeat, where they break off, and which rare words they find.

How well they fit the photographs on the whole is left to `captioner.scoring.metrics`.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, fields, replace
from itertools import pairwise

from captioner.vocabulary import tokenize

Words = tuple[str, ...]

# How often a word occurred in the training captions, from and to, for it to be rare at all, and for each band of rare words.
RARE = (5, 49)
BANDS = {"rare_5_9": (5, 9), "rare_10_19": (10, 19), "rare_20_49": (20, 49)}

# Words that announce another word: a caption that ends in one was cut off. Grammar proposed them and people decided: only
# those stayed of which, among the training captions of Flickr8k, fewer than one use in a hundred ends a caption. So "in" and
# "over" are here ("waves roll in" is rare), while "on", "by", "down", "up", "out", "off", "around", "behind", "outside"
# ("another looks on", "others walk by"), "her" and "can" (a "trash can") are not. A test holds the list against the captions.
UNENDING = frozenset(
    """
    a an the this that these those each every some any no his its their my your our
    in into onto with without within of from at for to toward towards through throughout over under upon near next beside
    beneath between beyond among amongst amid along across against after before during about atop like via
    and or but nor as while because if when where than who which whose whom
    is are was were be been being has have had having do does did will would could should may might must
    """.split()
)


@dataclass(frozen=True)
class Wording:
    """Counts over one caption for each photograph; a mean over several such sets need not be whole numbers.

    None stands for what was not measured, or had nothing to be measured on.
    """

    mean_words: float
    distinct_captions: float
    different_words: float
    repeating: float  # the share in which two neighbouring words stand twice
    copied: float | None  # the share that stands among the training captions, where there are any
    cut: float | None = None  # the share that breaks off at a word with which no sentence ends
    flawed: float | None = None  # the share that repeats, or breaks off, or does both
    rare: float | None = None  # of the rare words that people used, the share that was found; then by how rare they are
    rare_5_9: float | None = None
    rare_10_19: float | None = None
    rare_20_49: float | None = None


def worded(captions: Sequence[str], training: Set[Words] = frozenset()) -> Wording:
    """What the captions alone tell, and which of them stand among the training captions.

    >>> found = worded(["a dog runs", "a dog and a dog", "a cat in a"], {("a", "dog", "runs")})
    >>> found.mean_words, found.distinct_captions, found.different_words
    (4.0, 3, 6)
    >>> [round(share, 2) for share in (found.repeating, found.copied, found.cut, found.flawed)]
    [0.33, 0.33, 0.33, 0.67]
    """
    texts = [tuple(tokenize(caption)) for caption in captions]
    return Wording(
        mean_words=sum(map(len, texts)) / len(texts),
        distinct_captions=len(set(texts)),
        different_words=len({word for words in texts for word in words}),
        repeating=sum(map(repeats, texts)) / len(texts),
        copied=sum(words in training for words in texts) / len(texts) if training else None,
        cut=sum(map(is_cut, texts)) / len(texts),
        flawed=sum(repeats(words) or is_cut(words) for words in texts) / len(texts),
    )


def rare_recall(
    captions: Sequence[str], references: Sequence[Sequence[str]], occurrences: Mapping[str, int]
) -> dict[str, float | None]:
    """Of the rare words that people used for a photograph, the share that its caption has, too; for all of them and by band.

    A word counts once for a photograph, however many people used it. `occurrences` are those in the training captions.

    >>> rare_recall(["a poodle runs", "a dog"], [["a poodle", "one poodle barks"], ["a whippet"]], {"poodle": 7, "whippet": 30})
    {'rare': 0.5, 'rare_5_9': 1.0, 'rare_10_19': None, 'rare_20_49': 0.0}
    """
    used, found, rows = Counter(), Counter(), {"rare": RARE} | BANDS
    for caption, people in zip(captions, references, strict=True):
        words, theirs = set(tokenize(caption)), {word for text in people for word in tokenize(text)}
        for word in theirs:
            bands = [name for name, (least, most) in rows.items() if least <= occurrences.get(word, 0) <= most]
            used.update(bands)
            found.update(bands if word in words else ())
    return {name: found[name] / used[name] if used[name] else None for name in rows}


def occurrences(captions: Iterable[str]) -> Counter[str]:
    """How often each word occurs."""
    return Counter(word for caption in captions for word in tokenize(caption))


@dataclass(frozen=True)
class Known:
    """What the decoders have read: the captions of the training photographs, and how often each word occurs in them."""

    captions: frozenset[Words]
    occurrences: Counter[str]

    @classmethod
    def of(cls, captions: Sequence[str]) -> "Known":
        return cls(frozenset(tuple(tokenize(caption)) for caption in captions), occurrences(captions))

    def judge(self, captions: Sequence[str], references: Sequence[Sequence[str]]) -> Wording:
        """All that `worded` and `rare_recall` tell of one caption for each photograph."""
        return replace(worded(captions, self.captions), **rare_recall(captions, references, self.occurrences))


def only_one(counts: Mapping[str, Mapping[str, int]]) -> dict[str, dict[str, int]]:
    """By decoder, the words that no other decoder ever uses and how often it does, commonest first; from all of its words.

    >>> only_one({"learned": {"dog": 1, "cat": 1}, "fasttext": {"puppy": 2, "cat": 1, "runs": 1}})
    {'learned': {'dog': 1}, 'fasttext': {'puppy': 2, 'runs': 1}}
    """
    users = Counter(word for words in counts.values() for word in words)
    own = {name: [word for word in words if users[word] == 1] for name, words in counts.items()}
    return {
        name: {word: counts[name][word] for word in sorted(words, key=lambda word: (-counts[name][word], word))}
        for name, words in own.items()
    }


def mean(several: Sequence[Wording]) -> Wording:
    """Every figure's mean; a figure that one of them lacks has none."""
    columns = {field.name: [getattr(one, field.name) for one in several] for field in fields(Wording)}
    return Wording(**{name: None if None in values else sum(values) / len(values) for name, values in columns.items()})


def repeats(words: Sequence[str]) -> bool:
    """Whether two neighbouring words stand in it twice.

    >>> repeats("a man on a bike on a bike".split()), repeats("a man on a bike".split())
    (True, False)
    """
    return any(times > 1 for times in Counter(pairwise(words)).values())


def is_cut(words: Sequence[str]) -> bool:
    """Whether it breaks off at a word with which no sentence ends."""
    return bool(words) and words[-1] in UNENDING
