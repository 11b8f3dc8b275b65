"""BLEU, ROUGE-L and CIDEr-D of captions against references, as the COCO caption evaluation computes them.

How sure the numbers are is left to `captioner.scoring.bootstrap`, METEOR to `captioner.scoring.meteor`.
"""

import functools
import math
import operator
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from captioner.errors import DatasetError
from captioner.scoring import meteor
from captioner.vocabulary import tokenize

METRICS = ("bleu1", "bleu2", "bleu3", "bleu4", "rouge_l", "cider")
ORDERS = 4
ROUGE_BETA = 1.2
CIDER_SIGMA = 6.0
CIDER_SCALE = 10.0

Text = str | Sequence[str]
"""A caption as it was typed, or already cut into words."""

Ngrams = Counter[tuple[str, ...]]

# The columns of `Scores.table`.
MATCHING, POSSIBLE, LENGTH, NEAREST, ROUGE_L, CIDER = slice(0, 4), slice(4, 8), 8, 9, 10, 11


@dataclass(frozen=True, eq=False)
class Scores:
    """The metrics of one system as fractions, and the table of images from whose sums they follow.

    BLEU is no mean over images, so the table holds its counts: n-grams that match, n-grams there are, the caption's
    length, and the length of the reference nearest to it. ROUGE-L and CIDEr are values per image.
    """

    metrics: dict[str, float]
    table: np.ndarray = field(repr=False)  # (images, columns)

    @property
    def rouge_l(self) -> np.ndarray:
        return self.table[:, ROUGE_L]  # (images,)

    @property
    def cider(self) -> np.ndarray:
        return self.table[:, CIDER]  # (images,)


def score(captions: Sequence[Text], references: Sequence[Sequence[Text]]) -> dict[str, float]:
    """The metrics of one caption per image against that image's references, `meteor` only where it can be computed."""
    return Scorer(references).score(captions).metrics


def summarise(sums: np.ndarray, images: int) -> dict[str, np.ndarray]:
    """Metrics from sums over so many rows of `Scores.table`; sums (..., columns), every metric (...)."""
    # The two tiny constants are the COCO evaluation's: they keep captions without any match from dividing by zero.
    precisions = (sums[..., MATCHING] + 1e-15) / (sums[..., POSSIBLE] + 1e-9)
    ratio = (sums[..., LENGTH] + 1e-15) / (sums[..., NEAREST] + 1e-9)
    brevity = np.exp(np.minimum(0, 1 - 1 / ratio))
    bleu = brevity[..., None] * np.cumprod(precisions, axis=-1) ** (1 / np.arange(1, ORDERS + 1))
    metrics = {f"bleu{order + 1}": bleu[..., order] for order in range(ORDERS)}
    return metrics | {"rouge_l": sums[..., ROUGE_L] / images, "cider": sums[..., CIDER] / images}


class _Vector(NamedTuple):
    """The n-grams of one caption, weighed for CIDEr."""

    weights: dict[tuple[str, ...], float]
    norms: list[float]  # one per order
    length: int


class _Image(NamedTuple):
    """The references of one image, prepared."""

    references: list[list[str]]
    most: Ngrams
    vectors: list[_Vector]


class Scorer:
    """References prepared once, for every system that is scored against them.

    CIDEr weighs an n-gram by how few of these images have it in their references; with one image every weight is 0.
    """

    def __init__(self, references: Sequence[Sequence[Text]]):
        words = [_reference_words(texts, number) for number, texts in enumerate(references, start=1)]
        if not words:
            raise DatasetError("There is no image to score; give the references of at least one.")
        counts = [[count_ngrams(reference) for reference in image] for image in words]
        most = [functools.reduce(operator.or_, image) for image in counts]
        seen = Counter(ngram for image in most for ngram in image)
        self._unseen_weight = math.log(len(words))
        self._weights = {ngram: math.log(len(words) / images) for ngram, images in seen.items()}
        vectors = [[self._vector(*pair) for pair in zip(*image, strict=True)] for image in zip(counts, words, strict=True)]
        self._images = [_Image(*image) for image in zip(words, most, vectors, strict=True)]

    def __len__(self) -> int:
        return len(self._images)

    def score(self, captions: Sequence[Text]) -> Scores:
        """Score one caption per image, in the order of the references; a caption without words scores 0."""
        table = self.table(captions)
        metrics = {name: float(value) for name, value in summarise(table.sum(axis=0), len(self)).items()}
        if meteor.available():
            metrics["meteor"] = meteor.score(list(map(_words, captions)), [image.references for image in self._images])
        return Scores(metrics, table)

    def table(self, captions: Sequence[Text]) -> np.ndarray:
        """The rows of `Scores.table` alone, (images, columns)."""
        if isinstance(captions, str) or len(captions) != len(self):
            received = "one text" if isinstance(captions, str) else f"a list of {len(captions)}"
            raise DatasetError(
                f"There should be a list of {len(self)} captions, one per image, but there is {received}; "
                "give one for every image, in the images' order."
            )
        words = [_words(caption) for caption in captions]
        return np.array([self._row(*pair) for pair in zip(words, self._images, strict=True)], dtype=np.float64)

    def cider(self, image: int, caption: Text) -> float:
        """CIDEr alone of one caption of that image, counted from 0."""
        words = _words(caption)
        return self._cider(self._vector(count_ngrams(words), words), self._images[image].vectors)

    def _row(self, words: list[str], image: _Image) -> list[float]:
        ngrams = count_ngrams(words)
        matching = [0] * ORDERS
        for ngram, count in ngrams.items():
            matching[len(ngram) - 1] += min(count, image.most[ngram])
        possible = [max(0, len(words) - order) for order in range(ORDERS)]
        nearest = min((len(reference) for reference in image.references), key=lambda length: (abs(length - len(words)), length))
        cider = self._cider(self._vector(ngrams, words), image.vectors)
        return [*matching, *possible, len(words), nearest, rouge_l(words, image.references), cider]

    def _vector(self, ngrams: Ngrams, words: list[str]) -> _Vector:
        weights = {ngram: count * self._weights.get(ngram, self._unseen_weight) for ngram, count in ngrams.items()}
        squares = [0.0] * ORDERS
        for ngram, weight in weights.items():
            squares[len(ngram) - 1] += weight * weight
        return _Vector(weights, [math.sqrt(square) for square in squares], len(words))

    @staticmethod
    def _cider(caption: _Vector, references: list[_Vector]) -> float:
        """CIDEr-D: cosine with clipped weights per order, less for another length, mean over orders and references."""
        total = 0.0
        for reference in references:
            products = [0.0] * ORDERS
            for ngram, weight in caption.weights.items():
                other = reference.weights.get(ngram, 0.0)
                products[len(ngram) - 1] += min(weight, other) * other
            norms = map(operator.mul, caption.norms, reference.norms)
            cosines = sum(product / norm for product, norm in zip(products, norms, strict=True) if product)
            total += cosines * math.exp(-((caption.length - reference.length) ** 2) / (2 * CIDER_SIGMA**2))
        return CIDER_SCALE * total / (ORDERS * len(references))


def count_ngrams(words: Sequence[str]) -> Ngrams:
    """How often each run of one to four words occurs."""
    orders = range(1, ORDERS + 1)
    return Counter(tuple(words[start : start + order]) for order in orders for start in range(len(words) - order + 1))


def rouge_l(words: Sequence[str], references: Sequence[Sequence[str]]) -> float:
    """The F-measure of the longest common subsequence: best precision and best recall over the references."""
    common = [longest_common_subsequence(words, reference) for reference in references]
    if not any(common):
        return 0.0
    precision = max(common) / len(words)
    recall = max(length / len(reference) for length, reference in zip(common, references, strict=True))
    return (1 + ROUGE_BETA**2) * precision * recall / (recall + ROUGE_BETA**2 * precision)


def longest_common_subsequence(first: Sequence[str], second: Sequence[str]) -> int:
    """Its length, by the bit-parallel recurrence of Hyyrö: one bit per word of `first`, cleared where the length grows."""
    places: dict[str, int] = {}
    for place, word in enumerate(first):
        places[word] = places.get(word, 0) | 1 << place
    bits = full = (1 << len(first)) - 1
    for word in second:
        matched = bits & places.get(word, 0)
        bits = (bits + matched | bits - matched) & full
    return len(first) - bits.bit_count()


def _words(text: Text) -> list[str]:
    return tokenize(text) if isinstance(text, str) else list(text)


def _reference_words(texts: Any, number: int) -> list[list[str]]:
    if isinstance(texts, str):
        raise DatasetError(f"The references of image {number} are one text, but should be a list of texts; put it in a list.")
    words = [reference for reference in map(_words, texts) if reference]
    if not words:
        raise DatasetError(f"Image {number} has no reference caption with a word in it; give it one or leave the image out.")
    return words
