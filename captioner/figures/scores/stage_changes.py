"""What a later stage of training changed: the figures of the same decoders on the same photographs, before it and after."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from captioner.figures.decoder.facts import Facts
from captioner.figures.scores.scoreboard import TITLES, Board
from captioner.figures.scores.study_file import Study
from captioner.figures.style import number


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


def studied(study: Study, split: str) -> dict[str, list[Change]]:
    """The same from a study: means over the seeds that went through both stages, by the title of a figure."""
    moves = [moves.numbers[split] for moves in study.moves.values()]
    named = ((title, name, tell) for title, (name, _, tell) in _FIGURES.items())
    return {
        title: [_told(*numbers[name], tell) for numbers in moves]
        for title, name, tell in named
        if moves and all(name in numbers for numbers in moves)
    }


def changes(before: Measured, after: Measured) -> dict[str, list[Change]]:
    """By the title of a figure the change of each decoder; nothing where the two were not measured alike."""
    names = [[entry.variant.name for entry in stage.board.entries] for stage in (before, after)]
    subjects = [(stage.board.data, stage.board.images, stage.board.split) for stage in (before, after)]
    if names[0] != names[1] or subjects[0] != subjects[1]:
        return {}
    found = {title: [_change(before, after, name, *how) for name in names[0]] for title, (_, *how) in _FIGURES.items()}
    return {title: row for title, row in found.items() if None not in row}


def _change(before: Measured, after: Measured, name: str, read: Callable, tell: Callable) -> Change | None:
    values = [read(stage, name) for stage in (before, after)]
    return None if None in values else _told(*values, tell)


def _told(before: float, after: float, tell: Callable[[float], str]) -> Change:
    gained = after - before
    told = f"{abs(gained) * 100:.1f} points" if tell is _share else tell(abs(gained))
    return Change(tell(before), tell(after), ("+" if gained >= 0 else "−") + told)


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


# By title: its name in a study, how it is read of one stage, and how it is told.
_FIGURES: dict[str, tuple[str, Callable, Callable]] = {
    **{TITLES[name]: (name, _metric(name), number) for name in ("cider", "bleu4", "rouge_l")},
    "repeats itself": ("wording_repeating", _wording("repeating"), _share),
    "breaks off": ("wording_cut", _wording("cut"), _share),
    "repeats itself or breaks off": ("wording_flawed", _wording("flawed"), _share),
    "different captions": ("wording_distinct_captions", _wording("distinct_captions"), _count),
    "different words": ("wording_different_words", _wording("different_words"), _count),
    "rare words found": ("wording_rare", _wording("rare"), _share),
    "loss": ("loss", lambda _stage, _name: None, number),
    "dev loss": ("", _loss, number),
}
