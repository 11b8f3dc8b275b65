"""Paired differences of the repeated-seeds comparison, in the form in which all figures tell them."""

from collections.abc import Sequence

from captioner.config import VARIANTS
from captioner.experiments.conclusions import Pair, Study, title
from captioner.figures.scores.verdict import Gap


def gap(pair: Pair) -> Gap:
    """The better group first."""
    titles, (value, low, high) = [title(*group) for group in pair.groups], pair.cider
    return Gap.of(*titles, value, low, high)


def gaps(study: Study, stage: str, names: Sequence[str] = tuple(VARIANTS)) -> list[Gap]:
    """The differences between these variants in a stage, on the study's own encoder, over two seeds or more."""
    wanted = {(name, False) for name in names}
    return [gap(pair) for pair in study.pairs if pair.stage == stage and pair.seeds > 1 and set(pair.groups) <= wanted]
