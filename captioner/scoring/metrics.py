"""BLEU, ROUGE-L and CIDEr-D as the COCO caption evaluation computes them, and METEOR where its Java program is installed.

`captioner.scoring.bootstrap` computes their confidence intervals.
"""

import functools
import math
import operator
import os
import shutil
import subprocess
import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from captioner.errors import DatasetError
from captioner.vocabulary import tokenize

METRICS = ("bleu1", "bleu2", "bleu3", "bleu4", "rouge_l", "cider")
ORDERS = 4
ROUGE_BETA = 1.2
CIDER_SIGMA = 6.0
CIDER_SCALE = 10.0
METEOR_JAR = "TRIPTYCH_METEOR_JAR"  # environment variable with the path of meteor-1.5.jar, next to its folder `data`
_METEOR_SECONDS = 600

Text = str | Sequence[str]  # a caption, or its words
Ngrams = Counter[tuple[str, ...]]

# The columns of `Scores.table`.
MATCHING, POSSIBLE, LENGTH, NEAREST, ROUGE_L, CIDER = slice(0, 4), slice(4, 8), 8, 9, 10, 11


@dataclass(frozen=True, eq=False)
class Scores:
    """The metrics of one system as fractions, and the table of images whose sums determine them.

    BLEU is not a mean over images, so the table holds its counts: matching n-grams, all n-grams, the caption's length, and the
    length of the closest reference. ROUGE-L and CIDEr are values per image.
    """

    metrics: dict[str, float]
    table: np.ndarray = field(repr=False)  # (images, columns)

    @property
    def cider(self) -> np.ndarray:
        return self.table[:, CIDER]  # (images,)


def score(captions: Sequence[Text], references: Sequence[Sequence[Text]]) -> dict[str, float]:
    """The metrics of one caption per image against the image's references; `meteor` only if it is installed."""
    return Scorer(references).score(captions).metrics


def summarise(sums: np.ndarray, images: int) -> dict[str, np.ndarray]:
    """Metrics from sums over the rows of `Scores.table`; sums (..., columns), every metric (...)."""
    # The COCO evaluation's two tiny constants prevent a division by zero for captions without a match.
    precisions = (sums[..., MATCHING] + 1e-15) / (sums[..., POSSIBLE] + 1e-9)
    ratio = (sums[..., LENGTH] + 1e-15) / (sums[..., NEAREST] + 1e-9)
    brevity = np.exp(np.minimum(0, 1 - 1 / ratio))
    bleu = brevity[..., None] * np.cumprod(precisions, axis=-1) ** (1 / np.arange(1, ORDERS + 1))
    metrics = {f"bleu{order + 1}": bleu[..., order] for order in range(ORDERS)}
    return metrics | {"rouge_l": sums[..., ROUGE_L] / images, "cider": sums[..., CIDER] / images}


class _Vector(NamedTuple):
    """The n-grams of one caption, weighted for CIDEr."""

    weights: dict[tuple[str, ...], float]
    norms: list[float]  # one per order
    length: int


class _Image(NamedTuple):
    """The references of one image, prepared."""

    references: list[list[str]]
    most: Ngrams
    vectors: list[_Vector]


class Scorer:
    """References, prepared once for every system that is scored against them.

    CIDEr gives more weight to an n-gram that fewer images have in their references; with one image every weight is 0.
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
        if meteor_available():
            metrics["meteor"] = meteor(list(map(_words, captions)), [image.references for image in self._images])
        return Scores(metrics, table)

    def table(self, captions: Sequence[Text]) -> np.ndarray:
        """The rows of `Scores.table`, (images, columns)."""
        if isinstance(captions, str) or len(captions) != len(self):
            received = "one text" if isinstance(captions, str) else f"a list of {len(captions)}"
            raise DatasetError(
                f"Expected a list of {len(self)} captions, one per image, but got {received}; "
                "give one caption for every image, in the order of the images."
            )
        words = [_words(caption) for caption in captions]
        return np.array([self._row(*pair) for pair in zip(words, self._images, strict=True)], dtype=np.float64)

    def cider(self, image: int, caption: Text) -> float:
        """CIDEr of one caption; images are numbered from 0."""
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
        """CIDEr-D: cosine with clipped weights and a length penalty, averaged over orders and references."""
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
    """The counts of all n-grams of one to four words."""
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
    """Its length by Hyyrö's bit-parallel recurrence: one bit per word of `first`, cleared where the length grows."""
    positions: dict[str, int] = {}
    for position, word in enumerate(first):
        positions[word] = positions.get(word, 0) | 1 << position
    bits = full = (1 << len(first)) - 1
    for word in second:
        matched = bits & positions.get(word, 0)
        bits = (bits + matched | bits - matched) & full
    return len(first) - bits.bit_count()


def _words(text: Text) -> list[str]:
    return tokenize(text) if isinstance(text, str) else list(text)


def _reference_words(texts: Any, number: int) -> list[list[str]]:
    if isinstance(texts, str):
        raise DatasetError(f"The references of image {number} are one text, but should be a list of texts.")
    words = [reference for reference in map(_words, texts) if reference]
    if not words:
        raise DatasetError(f"Image {number} has no reference caption with a word; add one or remove the image.")
    return words


def meteor_available() -> bool:
    """Whether METEOR 1.5's own program and Java are installed; no other implementation replaces them."""
    jar = os.environ.get(METEOR_JAR)
    return jar is not None and Path(jar).is_file() and shutil.which("java") is not None


def meteor(captions: Sequence[Sequence[str]], references: Sequence[Sequence[Sequence[str]]]) -> float:
    """The METEOR system score of one caption per image; all texts are lists of words."""
    most = max(len(image) for image in references)
    # The program needs equally many references per image; repeating one is harmless, since only the best counts.
    padded = [reference for image in references for reference in [*image, *[image[-1]] * (most - len(image))]]
    with tempfile.TemporaryDirectory() as folder:
        files = [Path(folder) / "captions", Path(folder) / "references"]
        for path, texts in zip(files, (captions, padded), strict=True):
            path.write_text("".join(" ".join(words) + "\n" for words in texts), encoding="utf-8")
        command = ["java", "-Xmx2G", "-jar", os.environ[METEOR_JAR], *map(str, files), "-l", "en", "-norm", "-r", str(most)]
        try:
            done = subprocess.run(command, capture_output=True, check=True, timeout=_METEOR_SECONDS, encoding="utf-8")
        except (OSError, subprocess.SubprocessError) as error:
            raise DatasetError(f"METEOR failed ({error}); repair it or unset {METEOR_JAR} to score without it.") from error
    return _final_score(done.stdout)


def _final_score(output: str) -> float:
    lines = [line for line in output.splitlines() if line.startswith("Final score:")]
    if not lines:
        raise DatasetError(f"METEOR printed no final score; repair it or unset {METEOR_JAR} to score without it.")
    return float(lines[-1].split(":")[1])
