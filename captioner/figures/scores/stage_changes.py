"""What the second stage of training changed: each figure of the same decoders before and after it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass

from captioner.experiments.conclusions import Study
from captioner.figures.decoder.settings_in_words import Facts
from captioner.figures.scores.scoreboard import TITLES, Board, Entry
from captioner.figures.style import number

Pairs = Mapping[str, tuple[float, float]]  # by name of a figure: before and after


@dataclass(frozen=True)
class Measured:
    """One stage: the scores of its decoders, and what their files say of each."""

    board: Board
    facts: Mapping[str, Facts]  # by variant


@dataclass(frozen=True)
class Change:
    """One figure of one decoder, as text."""

    before: str
    after: str
    difference: str


def studied(study: Study, split: str) -> dict[str, list[Change]]:
    """The changes of each variant by the title of a figure: means over the seeds that went through both stages."""
    return _told([moves.numbers[split] for moves in study.moves.values()])


def changes(before: Measured, after: Measured) -> dict[str, list[Change]]:
    """The changes of each decoder by the title of a figure; none where the stages were scored on other photographs."""
    subjects = [(one.board.data, one.board.images, one.board.split, list(_figures(one))) for one in (before, after)]
    if subjects[0] != subjects[1]:
        return {}
    stages = zip(_figures(before).values(), _figures(after).values(), strict=True)
    return _told([{name: (old[name], new[name]) for name in old.keys() & new.keys()} for old, new in stages])


def _figures(stage: Measured) -> dict[str, dict[str, float]]:
    """By variant every figure of a stage, under the names that a study has for them."""
    return {entry.variant.name: _of(entry, stage) for entry in stage.board.entries}


def _of(entry: Entry, stage: Measured) -> dict[str, float]:
    comparison, history = stage.board.comparison, stage.facts[entry.variant.name].history
    wording = asdict(comparison.wording[entry.variant.name]) if comparison else {}
    found = entry.score.metrics | {f"wording_{name}": value for name, value in wording.items() if value is not None}
    return found | ({"dev_loss": history.best.dev_loss} if history else {})


def _told(decoders: Sequence[Pairs]) -> dict[str, list[Change]]:
    return {
        title: [_change(*pairs[name], tell) for pairs in decoders]
        for title, (name, tell) in _FIGURES.items()
        if decoders and all(name in pairs for pairs in decoders)
    }


def _change(before: float, after: float, tell: Callable[[float], str]) -> Change:
    gain = after - before
    size = f"{abs(gain) * 100:.1f} points" if tell is _share else tell(abs(gain))
    return Change(tell(before), tell(after), ("+" if gain >= 0 else "−") + size)


def _share(value: float) -> str:
    return f"{value:.1%}"


def _count(value: float) -> str:
    return f"{value:,.0f}"


_FIGURES: dict[str, tuple[str, Callable[[float], str]]] = {
    **{TITLES[name]: (name, number) for name in ("cider", "bleu4", "rouge_l")},
    "repeats itself": ("wording_repeating", _share),
    "breaks off": ("wording_cut", _share),
    "repeats itself or breaks off": ("wording_flawed", _share),
    "says a word twice": ("wording_says_twice", _share),
    "different captions": ("wording_distinct_captions", _count),
    "different words": ("wording_different_words", _count),
    "rare words found": ("wording_rare", _share),
    "loss": ("loss", number),
    "dev loss": ("dev_loss", number),
}
