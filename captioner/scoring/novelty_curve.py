"""The novelty curve: whether unfamiliar photographs get worse captions, measured on held-out photographs and kept in a file.

`captioner.scoring.familiarity` computes the novelty of a photograph. The file is tied to the decoders, the summary of the
training photographs and the search setting that it was measured with; for any others it is rejected.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from captioner.captioning.search_settings import load_search_config
from captioner.config import VARIANTS
from captioner.errors import CheckpointError, FeatureError
from captioner.scoring import comparison
from captioner.scoring.bootstrap import RESAMPLES, Estimate, draws, percentiles
from captioner.scoring.comparison import Subject
from captioner.scoring.evaluation import setting
from captioner.scoring.familiarity import summary_path
from captioner.storage import exists, parse_as, read_as, read_bytes, write_json

CURVE = "familiarity.json"
BINS = 10
MEAN = "mean"  # over the decoders
BETTER, USUAL, WORSE = ZONES = ("better", "usual", "worse")
_LARGEST_SUMMARY = 50_000_000
_RENEW = "python -m captioner familiar makes it anew"


@dataclass(frozen=True)
class CurveSubject(Subject):
    """What a curve was measured with; `familiarity` is the sha256 of the summary file."""

    familiarity: str


@dataclass(frozen=True)
class Stretch:
    """The held-out photographs between two percentiles of novelty, and their CIDEr by decoder and on average."""

    start: float
    end: float
    photographs: int
    cider: Mapping[str, Estimate]


@dataclass(frozen=True, eq=False)
class Curve:
    """CIDEr along the order of novelty.

    The outer zones are where captions are better or worse than usual: from each end inwards, as long as every bin differs
    significantly from the overall mean in the same direction. By chance alone, each of them opens in one case of forty.
    """

    of: CurveSubject
    correlation: Mapping[str, Estimate]  # Spearman's, between novelty and CIDEr
    novel_is_worse: float  # share of pairs of photographs whose less familiar one has worse captions; ties count half
    whole: Stretch
    zones: Mapping[str, Stretch]  # those that exist, in the order of ZONES
    bins: tuple[Stretch, ...]

    def zone(self, percentile: float) -> str:
        """The zone of a percentile of novelty."""
        return next(name for name, zone in reversed(list(self.zones.items())) if percentile >= zone.start)

    @property
    def flat(self) -> bool:
        return set(self.zones) == {USUAL}


def measure(of: CurveSubject, novelty: np.ndarray, cider: Mapping[str, np.ndarray], bins: int = BINS, seed: int = 0) -> Curve:
    """Both arrays hold one number per photograph (photographs,); the bins have equal numbers of photographs."""
    if len(novelty) < 4:
        raise FeatureError(f"A novelty curve needs four held-out photographs, but got {len(novelty)}.")
    names, table = [*cider, MEAN], np.stack([*cider.values(), np.mean([*cider.values()], axis=0)], axis=1)
    edges = np.linspace(0, len(table), min(bins, len(table) // 2) + 1).astype(int)
    parts = np.split(table[np.argsort(novelty, kind="stable")], edges[1:-1])  # each (photographs, decoders + 1)
    sums = [_resampled_sums(part, seed + place) for place, part in enumerate(parts)]

    def stretch(first: int, last: int) -> Stretch:
        return _stretch(names, edges, parts, sums, first, last)

    better, worse = _zones(edges, sums)
    cuts = {BETTER: (0, better), USUAL: (better, worse), WORSE: (worse, len(parts))}
    return Curve(
        of=of,
        correlation=_correlation(names, novelty, table, seed),
        novel_is_worse=novel_is_worse(novelty, table[:, -1]),
        whole=stretch(0, len(parts)),
        zones={name: stretch(*ends) for name, ends in cuts.items() if ends[0] < ends[1]},
        bins=tuple(stretch(place, place + 1) for place in range(len(parts))),
    )


def _resampled_sums(part: np.ndarray, seed: int) -> np.ndarray:
    """The sums over the resampled photographs of a bin (resamples, decoders + 1)."""
    return np.concatenate([counts @ part for counts in draws(len(part), RESAMPLES, seed)])


def _stretch(
    names: Sequence[str], edges: np.ndarray, parts: Sequence[np.ndarray], sums: Sequence[np.ndarray], first: int, last: int
) -> Stretch:
    """The bins from `first` to before `last` as one."""
    start, end, photographs = int(edges[first]), int(edges[last]), int(edges[-1])
    values = np.sum([part.sum(axis=0) for part in parts[first:last]], axis=0) / (end - start)
    drawn = np.sum(sums[first:last], axis=0) / (end - start)  # (resamples, decoders + 1)
    rows = zip(names, values, drawn.T, strict=True)
    cider = {name: Estimate(float(value), *percentiles(column)) for name, value, column in rows}
    return Stretch(100 * float(start) / photographs, 100 * float(end) / photographs, end - start, cider)


def _zones(edges: np.ndarray, sums: Sequence[np.ndarray]) -> tuple[int, int]:
    """The number of first bins significantly above the overall mean, and the first of the last bins significantly below it."""
    usual = np.sum(sums, axis=0)[:, -1] / edges[-1]
    gaps = [percentiles(part[:, -1] / size - usual) for part, size in zip(sums, np.diff(edges), strict=True)]
    better = next((place for place, (low, _) in enumerate(gaps) if low <= 0), len(gaps))
    after = next((place for place, (_, high) in enumerate(reversed(gaps)) if high >= 0), len(gaps))
    return better, len(gaps) - after


def _correlation(names: Sequence[str], novelty: np.ndarray, table: np.ndarray, seed: int) -> dict[str, Estimate]:
    resampled = draws(len(table), RESAMPLES, seed)
    blocks = [[_rank_correlation(novelty, column, counts) for column in table.T] for counts in resampled]
    drawn = np.concatenate(blocks, axis=1)  # (decoders + 1, resamples)
    return {
        name: Estimate(spearman(novelty, column), *percentiles(values))
        for name, column, values in zip(names, table.T, drawn, strict=True)
    }


def spearman(first: np.ndarray, second: np.ndarray) -> float:
    """The rank correlation; 0 if all values of one are equal.

    >>> round(spearman(np.array([1, 2, 3, 4]), np.array([10, 10, 30, 20])), 4)
    0.7379
    """
    return float(_rank_correlation(first, second, np.ones((1, len(first))))[0])


def _rank_correlation(first: np.ndarray, second: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """One value (resamples,) for each row of how often a photograph was drawn (resamples, photographs)."""
    middle = (counts[0].sum() + 1) / 2
    one, other = (_ranks(values, counts) - middle for values in (first, second))
    shared, *own = ((counts * left * right).sum(axis=1) for left, right in ((one, other), (one, one), (other, other)))
    lengths = np.sqrt(own[0] * own[1])
    return np.divide(shared, lengths, out=np.zeros_like(shared), where=lengths > 0)


def _ranks(values: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Ranks (resamples, photographs); equal values, and repeats of one photograph, share the mean of their ranks."""
    _, first, place = np.unique(np.sort(values), return_index=True, return_inverse=True)
    order = np.argsort(values, kind="stable")
    together = np.add.reduceat(counts[:, order], first, axis=1)  # (resamples, different values)
    ranks = np.empty_like(counts)
    ranks[:, order] = (np.cumsum(together, axis=1) - (together - 1) / 2)[:, place]
    return ranks


def novel_is_worse(novelty: np.ndarray, cider: np.ndarray) -> float:
    """The share of pairs with different novelty in which the less familiar photograph has the lower CIDEr.

    >>> novel_is_worse(np.array([1, 2, 3]), np.array([0.9, 0.9, 0.5]))
    0.8333333333333334
    """
    worse = pairs = 0.0
    for own, score in zip(novelty, cider, strict=True):
        above = novelty > own
        pairs += above.sum()
        worse += (cider[above] < score).sum() + (cider[above] == score).sum() / 2
    return float(worse / pairs) if pairs else 0.5


def subject(folder: Path, data: str, images: int) -> CurveSubject:
    """The decoders of a folder with their own search setting, and the summary next to them."""
    variants = [name for name in VARIANTS if exists(folder / name)]
    own = comparison.subject(folder, data, {"images": images} | setting(load_search_config(folder)), variants)
    return CurveSubject(**vars(own), familiarity=hashlib.sha256(read_bytes(summary_path(folder), _LARGEST_SUMMARY)).hexdigest())


def to_json(curve: Curve) -> dict[str, Any]:
    """A curve as plain data, as it is stored and printed; `stranger_is_worse` is the file's older name."""
    return asdict(curve.of) | {
        "correlation": {name: found._asdict() for name, found in curve.correlation.items()},
        "stranger_is_worse": curve.novel_is_worse,
        "whole": _stretch_to_json(curve.whole),
        "zones": {name: _stretch_to_json(zone) for name, zone in curve.zones.items()},
        "bins": [_stretch_to_json(one) for one in curve.bins],
    }


def _stretch_to_json(stretch: Stretch) -> dict[str, Any]:
    return asdict(stretch) | {"cider": {name: found._asdict() for name, found in stretch.cider.items()}}


def save_curve(folder: Path, curve: Curve) -> None:
    write_json(Path(folder) / CURVE, to_json(curve))


def load_curve(folder: Path) -> Curve | None:
    """The curve of exactly these decoders; None if none was measured."""
    path = Path(folder) / CURVE
    if not path.is_file():
        return None
    data = read_as(path, dict[str, Any], _RENEW)
    found = parse_as(data | {"of": data, "novel_is_worse": data.get("stranger_is_worse")}, Curve, CURVE, _RENEW)
    if not _fits_together(found):
        raise CheckpointError(f"The parts of {CURVE} do not fit together; {_RENEW}.")
    if found.of != subject(folder, found.of.data, found.of.images):
        raise CheckpointError(f"The file {CURVE} is of other decoders, another summary or another search setting; {_RENEW}.")
    return found


def _fits_together(curve: Curve) -> bool:
    """Whether the bins, and the zones, cover 0 to 100 without gaps, and everything is about the same decoders."""
    names = {*curve.of.decoders, MEAN}
    rows = [curve.bins, list(curve.zones.values()), [curve.whole]]
    covers = all([*(one.start for one in row), 100.0] == [0.0, *(one.end for one in row)] for row in rows)
    sound = all(one.start < one.end and one.photographs > 0 and set(one.cider) == names for row in rows for one in row)
    return covers and sound and set(curve.correlation) == names <= {*VARIANTS, MEAN} and set(curve.zones) <= set(ZONES)
