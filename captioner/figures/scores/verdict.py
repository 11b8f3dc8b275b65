"""What the paired differences say: the best decoder, its lead, the interval of that, and whether it is significant."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from captioner.config import VARIANTS
from captioner.figures.scores.scoreboard import VERDICT_METRIC, Board
from captioner.figures.style import listed, number


@dataclass(frozen=True)
class Gap:
    """How far one decoder is above another; the names are titles."""

    better: str
    worse: str
    value: float
    low: float
    high: float

    @classmethod
    def of(cls, first: str, second: str, value: float, low: float, high: float) -> "Gap":
        """The gap between two decoders, given their difference: first minus second."""
        return cls(first, second, value, low, high) if value >= 0 else cls(second, first, -value, -high, -low)

    @property
    def significant(self) -> bool:
        """Whether the 95% interval excludes zero."""
        return self.low > 0

    def __str__(self) -> str:
        return f"{number(self.value)} ({number(self.low)} to {number(self.high)})"


def gaps(board: Board, metric: str) -> list[Gap]:
    """The gap of every pair of decoders; none where the metric has no intervals or the decoders were not compared."""
    pairs = board.comparison.differences if board.comparison else {}
    return [
        Gap.of(VARIANTS[first].title, VARIANTS[second].title, *metrics[metric])
        for (first, second), metrics in pairs.items()
        if metric in metrics
    ]


def leader(scores: Mapping[str, float], found: Sequence[Gap]) -> str:
    """The best decoder by CIDEr, its lead over the second with the 95% interval, and whether the lead is significant."""
    best, *others = sorted(scores, key=lambda title: -scores[title])
    opening = f"{best} scores highest (CIDEr {number(scores[best])})"
    if not others:
        return f"{best} scores CIDEr {number(scores[best])}."
    lead = next((gap for gap in found if {gap.better, gap.worse} == {best, others[0]}), None)
    if lead is None:
        return f"{opening}, {others[0]} {number(scores[others[0]])}; whether the lead is significant was not computed."
    return f"{opening}, ahead of {others[0]} by {lead}. The lead is {'' if lead.significant else 'not '}significant."


def verdict(board: Board) -> str:
    scores = {entry.variant.title: entry.score.metrics[VERDICT_METRIC] for entry in board.entries}
    return f"On {board.images:,} {board.split} photographs, {leader(scores, gaps(board, VERDICT_METRIC))}"


def by_other_metrics(board: Board) -> str:
    """How many differences are significant by the metrics besides CIDEr."""
    found = [gap for name in board.metrics if name != VERDICT_METRIC for gap in gaps(board, name)]
    significant = sum(gap.significant for gap in found)
    told = f"Of {len(found)} differences by the other metrics, {significant} are significant"
    return f"{told}; about one in twenty would be by chance." if found else ""


def training_runs(seeds: Sequence[int]) -> str:
    """The caveat of scores from one run of each decoder."""
    different = [str(seed) for seed in dict.fromkeys(seeds)]
    which = f"seed{'s' * (len(different) > 1)} {listed(different)}"
    return f"One run of each decoder ({which}): the intervals cover the choice of photographs, not the seed."
