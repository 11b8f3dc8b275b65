"""The published training losses of two decoders of a well-known course project, to compare with ours."""

import csv
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from captioner.config import VARIANTS, Variant, find_variant

SOURCE = "a well-known course project that compared three embeddings"
VOCABULARY = 7577  # words, as the project reports; ours is counted in the checkpoint
_FIGURES = Path(__file__).with_name("course_curves.csv")


@dataclass(frozen=True)
class CourseCurve:
    """A published curve: the mean training loss of each epoch."""

    variant: Variant
    dimensions: int
    losses: tuple[float, ...]

    @property
    def best(self) -> float:
        return min(self.losses)

    @property
    def name(self) -> str:
        return f"Course project: {self.variant.title}"


@cache
def read_course() -> dict[str, CourseCurve]:
    """The published curves by variant, in the order of our decoders."""
    losses: dict[tuple[str, int], list[float]] = {}
    with _FIGURES.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            losses.setdefault((row["variant"], int(row["embedding_dimensions"])), []).append(float(row["training_loss"]))
    curves = {name: CourseCurve(find_variant(name), width, tuple(found)) for (name, width), found in losses.items()}
    return {name: curves[name] for name in VARIANTS if name in curves}


def description() -> str:
    """A summary of the published curves."""
    parts = (
        f"{curve.variant.title} with {curve.dimensions} numbers a word, {len(curve.losses)} epochs from {curve.losses[0]:.2f} "
        f"to a best of {curve.best:.2f} and {curve.losses[-1]:.2f} in the end"
        for curve in read_course().values()
    )
    return f"The training losses of {SOURCE}: {'; '.join(parts)}."


def caution(our_words: int | None) -> str:
    """Why the published losses cannot be compared with ours number by number."""
    ours = f" (ours: {our_words:,})" if our_words else ""
    return (
        f"Look at their shape, but do not compare their height with ours: these are training losses, from captions prepared in "
        f"another way, over a vocabulary of {VOCABULARY:,} words{ours}, and a loss depends on all of these."
    )
