"""Pseudo-captions: for labelled photographs, people's sentences that name the object and fit the photograph, as a data set.

Decoders with word slots, told the label, say how well a sentence fits. They have seen mostly people and dogs, so linear
classifiers on CNN features, trained on captioned photographs, decide whether a photograph shows a person, dog or cat. Labels
are read by `captioner.data.labels`, and what a label accepts is left to `captioner.scoring.object_names`.
"""

import random
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from captioner.data.dataset_formats import BY_SPLIT, OWN_PHOTOGRAPHS
from captioner.data.datasets import Record
from captioner.data.labels import Labelled
from captioner.errors import DatasetError
from captioner.scoring.caption_style import is_cut, says_twice
from captioner.scoring.object_names import accepted, forms, last_words, named, noun_of
from captioner.storage import write_bytes, write_json
from captioner.training.sentences import LONGEST, SHORTEST
from captioner.vision.encoder import Seen
from captioner.vision.feature_cache import FeatureCache

if TYPE_CHECKING:
    from captioner.captioning.captioner import Captioner

HOW = "how.json"
_RATED = 60  # sentences of a photograph, drawn from those that name its object
_COMMON = 0.5  # share of a sentence's log-probability without a photograph that is taken off; it is high if it fits anything
_LEAST = -1.0  # fit of a sentence that is kept; below it, most are about other things
COMMON_SUBJECTS = ("person", "dog", "cat")  # of sentences and photographs
_AT_ONCE = 50  # photographs whose features are read together

Words = tuple[str, ...]


class Fitting(NamedTuple):
    """A sentence and how well it fits a photograph."""

    record: Labelled
    sentence: Words
    fit: float


def told(label: str) -> list[str]:
    """The words that a label puts into word slots: the CNN's noun for a class of this name, or the label's own nouns.

    >>> told("espresso"), told("room with chair or grand piano")
    (['coffee'], ['room', 'chair', 'piano'])
    """
    noun = noun_of(label)
    return [noun] if noun else last_words(label)


def naming(lines: Iterable[Sequence[str]], labels: Iterable[str]) -> dict[str, list[Words]]:
    """By label, the sentences that name its object: whole ones of usual length that say no content word twice."""
    names = {label: accepted(label, noun_of(label)) for label in labels}
    ends = {form for own in names.values() for name in own for form in forms(name[-1])}
    by_word: dict[str, list[Words]] = defaultdict(list)
    for sentence in dict.fromkeys(map(tuple, lines)):
        if SHORTEST <= len(sentence) <= LONGEST and not says_twice(sentence) and not is_cut(sentence):
            for word in ends.intersection(sentence):
                by_word[word].append(sentence)
    found = {}
    for label, own in names.items():
        maybe = dict.fromkeys(sentence for name in own for form in sorted(forms(name[-1])) for sentence in by_word[form])
        found[label] = [sentence for sentence in maybe if named(" ".join(sentence), own)]
    return found


def showing(records: Sequence[Record], captioned: Sequence[Record], cache: FeatureCache) -> dict[str, np.ndarray]:
    """For each of the common subjects, whether each photograph shows it, by a classifier trained on captioned photographs."""
    from sklearn.linear_model import LogisticRegression

    features, own = cache.pooled(captioned), cache.pooled(records)
    found = {}
    for thing in COMMON_SUBJECTS:
        mentioned = np.array([np.mean([mentions(caption, thing) for caption in record.captions]) >= 0.5 for record in captioned])
        if mentioned.all() or not mentioned.any():
            raise DatasetError(f"The captions of --data mention a {thing} in all photographs or in none; add others.")
        found[thing] = LogisticRegression(max_iter=1000).fit(features, mentioned).predict(own)
    return found


def mentions(caption: str, thing: str) -> bool:
    """Whether a caption has a word for a thing.

    >>> mentions("two women ride", "person"), mentions("a dog runs", "person")
    (True, False)
    """
    return named(caption, accepted(thing))


def rated(
    captioner: "Captioner",
    records: Sequence[Labelled],
    cache: FeatureCache,
    sentences: Mapping[str, Sequence[Words]],
    shown: Mapping[str, np.ndarray],
) -> Iterator[list[Fitting]]:
    """Photograph after photograph, some of its label's sentences and how well they fit.

    A sentence may mention only those common subjects that the photograph shows or that its label names.
    """
    all_of_them = {one for several in sentences.values() for one in several}
    tell = {one: {thing for thing in COMMON_SUBJECTS if mentions(" ".join(one), thing)} for one in all_of_them}
    for first in range(0, len(records), _AT_ONCE):
        several = records[first : first + _AT_ONCE]
        seen = cache.seen(several)
        for place, record in enumerate(several):
            words = told(record.label)[: captioner.word_slots]
            seen_things = {thing for thing in COMMON_SUBJECTS if shown[thing][first + place] or mentions(" ".join(words), thing)}
            possible = (one for one in sentences[record.label] if tell[one] <= seen_things)
            known = [one for one in possible if all(word in captioner.vocabulary or word in words for word in one)]
            drawn = random.Random(record.name).sample(known, min(len(known), _RATED))
            yield list(map(Fitting, [record] * len(drawn), drawn, fits(captioner, seen.part([place]), words, drawn)))


def fits(captioner: "Captioner", seen: Seen, words: Sequence[str], sentences: Sequence[Words]) -> list[float]:
    """How well each sentence fits one photograph: per word, its log-probability less a share of that of an empty photograph.

    The end counts as a word. The decoders' mean is taken.
    """
    if not sentences:
        return []
    empty = Seen(np.zeros_like(seen.features))
    for_it, for_none = (
        sum(captioner.rate(*given).values()) for given in ((seen, sentences, words), (empty, sentences, [""]))
    )
    lengths = np.array([len(sentence) + 1 for sentence in sentences])
    return ((for_it - _COMMON * for_none) / lengths / len(captioner.variants)).tolist()


def choose(fitting: Iterable[Fitting], most: int) -> dict[Labelled, Words]:
    """The best sentence of each photograph, if it fits; no sentence twice, and of every object the `most` that fit best.

    Without that bound, the 118 breeds of dogs would be most of what is learned.
    """
    chosen: dict[Labelled, Words] = {}
    used: set[Words] = set()
    counts: Counter[str] = Counter()
    for record, sentence, fit in sorted(fitting, key=lambda one: -one.fit):
        thing = noun_of(record.label) or record.label
        if fit >= _LEAST and record not in chosen and sentence not in used and counts[thing] < most:
            chosen[record] = sentence
            used.add(sentence)
            counts[thing] += 1
    return chosen


def save(folder: Path, chosen: Mapping[Labelled, Words], how: Mapping[str, Any]) -> None:
    """Write a data set with a split for training alone, with copies of the photographs, and how it was made."""
    pictures = folder / OWN_PHOTOGRAPHS
    pictures.mkdir(parents=True)
    for record in chosen:
        (pictures / record.name).write_bytes(record.read())
    lines = sorted(f"{record.name}#0\t{' '.join(sentence)}\n" for record, sentence in chosen.items())
    write_bytes(folder / BY_SPLIT.format("train"), "".join(lines).encode())
    write_json(folder / HOW, how)
