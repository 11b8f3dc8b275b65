"""Bootstrap confidence intervals over images: for one system, a mean over several, and a paired difference.

Whole images are resampled with replacement, and every metric is recomputed from what `Scores` keeps of each image. CIDEr's
word weights stay those of all images, since they belong to the references and not to the sample.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from captioner.errors import DatasetError
from captioner.scoring.metrics import Scores, summarise

RESAMPLES = 1000
CONFIDENCE = 0.95
_CELLS_AT_ONCE = 4_000_000

Interval = tuple[float, float]


class Estimate(NamedTuple):
    """A value and its confidence interval; a difference is significant if its interval excludes 0."""

    value: float
    low: float
    high: float


def interval(scores: Scores, resamples: int = RESAMPLES, seed: int = 0) -> dict[str, Interval]:
    """The percentile interval of every metric except METEOR, which has no values per image."""
    return mean_interval([scores], resamples, seed)


def mean_interval(several: Sequence[Scores], resamples: int = RESAMPLES, seed: int = 0) -> dict[str, Interval]:
    """The interval of every metric's mean over several systems, computed on the same resampled images."""
    drawn = _resample(several, resamples, seed)
    return {name: percentiles(np.mean([part[name] for part in drawn], axis=0)) for name in drawn[0]}


def paired_difference(first: Scores, second: Scores, resamples: int = RESAMPLES, seed: int = 0) -> dict[str, Estimate]:
    """First minus second for every metric, both on the same resampled images, which narrows the interval."""
    drawn_first, drawn_second = _resample([first, second], resamples, seed)
    return {
        name: Estimate(first.metrics[name] - second.metrics[name], *percentiles(drawn_first[name] - drawn_second[name]))
        for name in drawn_first
    }


def _resample(systems: Sequence[Scores], resamples: int, seed: int) -> list[dict[str, np.ndarray]]:
    """For every system, each metric on every resample (resamples,)."""
    images = [len(scores.table) for scores in systems]
    if len(set(images)) > 1:
        raise DatasetError(f"Systems can only be compared on the same images, but these have {images[0]} and {images[1]}.")
    tables = np.concatenate([scores.table for scores in systems], axis=1)  # (images, systems * columns)
    sums = np.concatenate([counts @ tables for counts in draws(images[0], resamples, seed)])  # (resamples, systems * columns)
    return [summarise(part, images[0]) for part in np.split(sums, len(systems), axis=1)]


def draws(images: int, resamples: int, seed: int) -> Iterator[np.ndarray]:
    """How often each resample draws each image, in blocks that fit in memory."""
    random = np.random.default_rng(seed)
    block = max(1, _CELLS_AT_ONCE // images)
    for start in range(0, resamples, block):
        rows = min(block, resamples - start)
        drawn = random.integers(images, size=(rows, images)) + images * np.arange(rows)[:, None]
        yield np.bincount(drawn.ravel(), minlength=rows * images).reshape(rows, images).astype(np.float64)  # (rows, images)


def percentiles(values: np.ndarray) -> Interval:
    low, high = np.quantile(values, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return float(low), float(high)
