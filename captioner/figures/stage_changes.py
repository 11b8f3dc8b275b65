"""What a later stage of training changed: the figures of the same decoders on the same photographs, before it and after."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from captioner.figures.facts import Facts
from captioner.figures.scoreboard import TITLES, Board
from captioner.figures.verdict import number


@dataclass(frozen=True)
class Measured:
    """One stage: the scores of its decoders, and what their files say of each."""

    board: Board
    facts: Mapping[str, Facts]  # by variant


@dataclass(frozen=True)
class Change:
    """One figure of one decoder, as people read it."""

    before: str
    after: str
    difference: str


def changes(before: Measured, after: Measured) -> dict[str, list[Change]]:
    """By the title of a figure the change of each decoder; nothing where the two were not measured alike."""
    names = [[entry.variant.name for entry in stage.board.entries] for stage in (before, after)]
    subjects = [(stage.board.data, stage.board.images, stage.board.split) for stage in (before, after)]
    if names[0] != names[1] or subjects[0] != subjects[1]:
        return {}
    found = {title: [_change(before, after, name, *how) for name in names[0]] for title, how in _FIGURES.items()}
    return {title: row for title, row in found.items() if None not in row}


def _change(before: Measured, after: Measured, name: str, read: Callable, tell: Callable) -> Change | None:
    values = [read(stage, name) for stage in (before, after)]
    if None in values:
        return None
    gained = values[1] - values[0]
    told = f"{abs(gained) * 100:.1f} points" if tell is _share else tell(abs(gained))
    return Change(*map(tell, values), ("+" if gained >= 0 else "−") + told)


def _metric(metric: str) -> Callable[[Measured, str], float | None]:
    def read(stage: Measured, name: str) -> float | None:
        return next(entry for entry in stage.board.entries if entry.variant.name == name).score.metrics.get(metric)

    return read


def _wording(field: str) -> Callable[[Measured, str], float | None]:
    return lambda stage, name: getattr(stage.board.comparison.wording[name], field) if stage.board.comparison else None


def _loss(stage: Measured, name: str) -> float | None:
    history = stage.facts[name].history
    return history.best.dev_loss if history else None


def _share(value: float) -> str:
    return f"{value:.1%}"


def _count(value: float) -> str:
    return f"{value:,.0f}"


_FIGURES: dict[str, tuple[Any, Any]] = {
    **{TITLES[name]: (_metric(name), number) for name in ("cider", "bleu4", "rouge_l")},
    "repeats itself": (_wording("repeating"), _share),
    "breaks off": (_wording("cut"), _share),
    "different captions": (_wording("distinct_captions"), _count),
    "different words": (_wording("different_words"), _count),
    "dev loss": (_loss, number),
}
