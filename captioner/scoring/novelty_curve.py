"""What familiarity foretells: whether captions fit worse the stranger a photograph is, measured on those held out of training.

How strange a photograph is comes from `captioner.scoring.familiarity`; keeping the answer is left to `captioner.scoring.novelty_file`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from captioner.errors import FeatureError
from captioner.scoring.bootstrap import CONFIDENCE, RESAMPLES, draws, percentiles

BINS = 10
MEAN = "mean"  # of the decoders, beside them
BETTER, USUAL, WORSE = ZONES = ("better", "usual", "worse")


class Estimate(NamedTuple):
    """A figure and its 95% interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Stretch:
    """The held-out photographs of which `start` to `end` of 100 are less strange, and their CIDEr by decoder and as a mean."""

    start: float
    end: float
    photographs: int
    cider: Mapping[str, Estimate]


@dataclass(frozen=True, eq=False)
class Curve:
    """CIDEr along the order of strangeness.

    The zones say what to expect: at each end of the order, as far as every bin from that end on lies beyond chance on the
    one side of the mean, captions are better or worse than usual. Looking inwards from the ends and stopping at the first
    bin that fails, chance alone opens each of the two zones in one case of forty.
    """

    of: Mapping[str, Any]  # data, images, search setting, manifests and summary that it belongs to
    whole: Stretch
    bins: tuple[Stretch, ...]
    zones: Mapping[str, Stretch]  # from the least strange on; those that are there
    correlation: Mapping[str, Estimate]  # Spearman's, of strangeness and CIDEr
    stranger_is_worse: float  # of two photographs, how often the stranger one has the worse captions; equal ones count half

    def zone(self, percentile: float) -> str:
        """Where a photograph lies of which so many of 100 are less strange."""
        return next(name for name, zone in reversed(list(self.zones.items())) if percentile >= zone.start)

    @property
    def flat(self) -> bool:
        return set(self.zones) == {USUAL}


def measure(
    of: Mapping[str, Any], strangeness: np.ndarray, cider: Mapping[str, np.ndarray], bins: int = BINS, seed: int = 0
) -> Curve:
    """Both say one number of every photograph (photographs,); the bins are of equal numbers of photographs."""
    if len(strangeness) < 4:
        raise FeatureError(f"To measure what familiarity foretells takes four held-out photographs, not {len(strangeness)}.")
    names, table = [*cider, MEAN], np.stack([*cider.values(), np.mean([*cider.values()], axis=0)], axis=1)
    edges = np.linspace(0, len(table), min(bins, len(table) // 2) + 1).astype(int)
    parts = np.split(table[np.argsort(strangeness, kind="stable")], edges[1:-1])  # each (photographs, decoders + 1)
    sums = [_drawn_sums(part, seed + place) for place, part in enumerate(parts)]

    def stretch(first: int, last: int) -> Stretch:
        return _stretch(names, edges, parts, sums, first, last)

    better, worse = _zones(edges, sums)
    cuts = {BETTER: (0, better), USUAL: (better, worse), WORSE: (worse, len(parts))}
    return Curve(
        of=of,
        whole=stretch(0, len(parts)),
        bins=tuple(stretch(place, place + 1) for place in range(len(parts))),
        zones={name: stretch(*ends) for name, ends in cuts.items() if ends[0] < ends[1]},
        correlation=_correlation(names, strangeness, table, seed),
        stranger_is_worse=stranger_is_worse(strangeness, table[:, -1]),
    )


def _drawn_sums(part: np.ndarray, seed: int) -> np.ndarray:
    """The sums over the photographs of a bin, drawn again (resamples, decoders + 1)."""
    return np.concatenate([counts @ part for counts in draws(len(part), RESAMPLES, seed)])


def _stretch(
    names: Sequence[str], edges: np.ndarray, parts: Sequence[np.ndarray], sums: Sequence[np.ndarray], first: int, last: int
) -> Stretch:
    """The bins from the first up to, but without, the last as one."""
    count = int(edges[last] - edges[first])
    values, drawn = sum(part.sum(axis=0) for part in parts[first:last]) / count, sum(sums[first:last]) / count
    ends = [percentiles(column, CONFIDENCE) for column in drawn.T]
    cider = {name: Estimate(float(value), *end) for name, value, end in zip(names, values, ends, strict=True)}
    return Stretch(100 * float(edges[first]) / int(edges[-1]), 100 * float(edges[last]) / int(edges[-1]), count, cider)


def _zones(edges: np.ndarray, sums: Sequence[np.ndarray]) -> tuple[int, int]:
    """How many bins from the front are surely above the mean of all, and from which bin on all are surely below it."""
    usual = sum(sums)[:, -1] / edges[-1]
    gaps = [percentiles(part[:, -1] / size - usual, CONFIDENCE) for part, size in zip(sums, np.diff(edges), strict=True)]
    better = next((place for place, (low, _) in enumerate(gaps) if low <= 0), len(gaps))
    after = next((place for place, (_, high) in enumerate(reversed(gaps)) if high >= 0), len(gaps))
    return better, len(gaps) - after


def _correlation(names: Sequence[str], strangeness: np.ndarray, table: np.ndarray, seed: int) -> dict[str, Estimate]:
    drawn: dict[str, list[np.ndarray]] = {name: [] for name in names}
    for counts in draws(len(table), RESAMPLES, seed):
        for name, column in zip(names, table.T, strict=True):
            drawn[name].append(_rank_correlation(strangeness, column, counts))
    return {
        name: Estimate(spearman(strangeness, column), *percentiles(np.concatenate(drawn[name]), CONFIDENCE))
        for name, column in zip(names, table.T, strict=True)
    }


def spearman(first: np.ndarray, second: np.ndarray) -> float:
    """The rank correlation; 0 where all values of one are equal, which foretell nothing.

    >>> round(spearman(np.array([1, 2, 3, 4]), np.array([10, 10, 30, 20])), 4)
    0.7379
    """
    return float(_rank_correlation(first, second, np.ones((1, len(first))))[0])


def _rank_correlation(first: np.ndarray, second: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """With every photograph there as often as it was drawn (resamples, photographs); one value for each (resamples,)."""
    middle = (counts[0].sum() + 1) / 2
    one, other = (_ranks(values, counts) - middle for values in (first, second))
    shared, *own = ((counts * left * right).sum(axis=1) for left, right in ((one, other), (one, one), (other, other)))
    lengths = np.sqrt(own[0] * own[1])
    return np.divide(shared, lengths, out=np.zeros_like(shared), where=lengths > 0)


def _ranks(values: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Equal values, and one that was drawn several times, share the mean of their ranks (resamples, photographs)."""
    _, first, place = np.unique(np.sort(values), return_index=True, return_inverse=True)
    order = np.argsort(values, kind="stable")
    together = np.add.reduceat(counts[:, order], first, axis=1)  # (resamples, different values)
    ranks = np.empty_like(counts)
    ranks[:, order] = (np.cumsum(together, axis=1) - (together - 1) / 2)[:, place]
    return ranks


def stranger_is_worse(strangeness: np.ndarray, cider: np.ndarray) -> float:
    """The share of the pairs of photographs, of different strangeness, in which the stranger one has the lower CIDEr.

    >>> stranger_is_worse(np.array([1, 2, 3]), np.array([0.9, 0.9, 0.5]))
    0.8333333333333334
    """
    worse = pairs = 0.0
    for place in range(len(cider)):
        stranger = strangeness > strangeness[place]
        pairs += stranger.sum()
        worse += (cider[stranger] < cider[place]).sum() + (cider[stranger] == cider[place]).sum() / 2
    return float(worse / pairs) if pairs else 0.5
