"""What the paired differences say, in sentences for people: which decoder is better, and what chance can explain."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from captioner.config import VARIANTS
from captioner.figures.scores.scoreboard import TITLES, VERDICT_METRIC, Board
from captioner.figures.style import listed, number


@dataclass(frozen=True)
class Gap:
    """How far one decoder lies above another; the titles are those that people read."""

    better: str
    worse: str
    value: float
    low: float
    high: float

    @property
    def proven(self) -> bool:
        return self.low > 0

    def __str__(self) -> str:
        return f"{number(self.value)} ({number(self.low)} to {number(self.high)})"


def gaps(board: Board, metric: str) -> list[Gap]:
    """Every two decoders, the better one first; none where the metric has no intervals or nothing was compared."""
    pairs = board.comparison.differences if board.comparison else {}
    found = []
    for (first, second), metrics in pairs.items():
        if metric in metrics:
            titles, difference = (VARIANTS[first].title, VARIANTS[second].title), metrics[metric]
            if difference.value >= 0:
                found.append(Gap(*titles, *difference))
            else:
                found.append(Gap(*reversed(titles), -difference.value, -difference.high, -difference.low))
    return found


def verdict(board: Board) -> str:
    """One sentence on which decoder is best by CIDEr, or on why none can be called so."""
    ranked, found = _ranked(board), gaps(board, VERDICT_METRIC)
    opening = f"On {board.images:,} {board.split} photographs"
    if len(ranked) < 2:
        return f"{opening} only one decoder has been scored: {_scores(ranked)}. A comparison takes two."
    if not found:
        return f"{opening} {_scores(ranked)}; whether that is more than chance has not been computed."
    proven = [gap for gap in found if gap.proven]
    if not proven:
        widest = max(found, key=lambda gap: gap.value)
        return (
            f"{opening} no decoder is better than another beyond what chance explains: {_scores(ranked)}, "
            f"and a difference of {widest} can be chance."
        )
    return f"{opening} {_winners(ranked, proven)}"


def agreement(board: Board, other: Board | None) -> str:
    """Whether the photographs of another split say the same; nothing where they were not compared."""
    if other is None or not gaps(other, VERDICT_METRIC):
        return ""
    photographs = f"the {other.images:,} {other.split} photographs"
    if _proven(board) != _proven(other):
        return f"{photographs.capitalize()} say something else: there {_short(other)}."
    leader = _ranked(other)[0]
    if leader[0] == _ranked(board)[0][0]:
        return f"{photographs.capitalize()} say the same."
    return (
        f"{photographs.capitalize()} say the same, though in another order: there {leader[0]} scores highest, "
        f"{number(leader[1])}, as it happens where chance decides."
    )


def by_other_metrics(board: Board) -> str:
    """What the metrics besides CIDEr find beyond chance; so many comparisons let some stand out by chance alone."""
    others = {title: gaps(board, name) for name, title in board.metrics.items() if name != VERDICT_METRIC}
    compared = sum(map(len, others.values()))
    if not compared:
        return ""
    above: dict[tuple[str, str], list[str]] = {}
    for title, found in others.items():
        for gap in found:
            if gap.proven:
                above.setdefault((gap.better, gap.worse), []).append(title)
    names = listed([title for title, found in others.items() if found])
    if not above:
        return f"By {names}, too, no difference is more than chance explains."
    facts = "; ".join(f"{better} is above {worse} by {listed(titles)}" for (better, worse), titles in above.items())
    return (
        f"Other measures set some apart beyond chance: {facts}. Among {compared} such comparisons, though, chance alone lets "
        "about one in twenty stand out."
    )


def training_runs(seeds: Sequence[int]) -> str:
    """What the intervals cannot know: they draw other photographs, not another training."""
    different = list(dict.fromkeys(seeds))
    which = f"seed{'s' * (len(different) > 1)} {listed([str(seed) for seed in different])}"
    return (
        f"Each decoder was trained only once ({which}). The intervals say what other photographs could change; "
        "another training could move a score as well, and that is not in them."
    )


def _ranked(board: Board) -> list[tuple[str, float]]:
    scores = [(entry.variant.title, entry.score.metrics[VERDICT_METRIC]) for entry in board.entries]
    return sorted(scores, key=lambda score: -score[1])


def _proven(board: Board) -> set[tuple[str, str]]:
    return {(gap.better, gap.worse) for gap in gaps(board, VERDICT_METRIC) if gap.proven}


def _scores(ranked: Sequence[tuple[str, float]]) -> str:
    first, *rest = [f"{title} {number(value)}" for title, value in ranked]
    return listed([first.replace(" ", " scores ", 1), *rest]) + f" ({TITLES[VERDICT_METRIC]})"


def _winners(ranked: Sequence[tuple[str, float]], proven: Sequence[Gap]) -> str:
    """The rest of the verdict where some differences are more than chance explains."""
    titles = [title for title, _ in ranked]
    pairs = {(gap.better, gap.worse) for gap in proven}
    smallest = min(proven, key=lambda gap: gap.value)
    if all(pair in pairs for pair in pairwise(titles)):
        chain = ", which is better than ".join([f"{titles[0]} is better than {titles[1]}", *titles[2:]])
        return f"{chain}: {_scores(ranked)}, and the smallest lead, {smallest}, is more than chance explains."
    if all((titles[0], title) in pairs for title in titles[1:]):
        return (
            f"{titles[0]} is better than both others: {_scores(ranked)}, and the smaller lead, {smallest}, is more than chance "
            f"explains. Which of {listed(titles[1:])} is better stays open."
        )
    if all((title, titles[-1]) in pairs for title in titles[:-1]):
        return (
            f"{titles[-1]} is worse than both others: {_scores(ranked)}, and the smaller gap, {smallest}, is more than chance "
            f"explains. Which of {listed(titles[:-1])} is better stays open."
        )
    facts = listed([f"{gap.better} is better than {gap.worse} by {gap}" for gap in proven])
    return f"{facts}, more than chance explains: {_scores(ranked)}. The other differences can be chance."


def _short(board: Board) -> str:
    proven = sorted(_proven(board))
    if not proven:
        return "no difference is more than chance explains"
    return f"{listed([f'{better} is better than {worse}' for better, worse in proven])}, beyond chance"
