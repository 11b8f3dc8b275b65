"""An open question, answered: is it the dimensions, the embedding or chance that held a course project's FastText back?

Everything said here is computed from the records of `captioner.ancestor_records`. Knows no Streamlit.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import TYPE_CHECKING

from captioner.ancestor_records import COURSE, ENDS, Record
from captioner.config import STANDARD, Variant, find_variant
from captioner.figures.course import read_course
from captioner.figures.scoreboard import VERDICT_METRIC
from captioner.figures.verdict import listed, number

if TYPE_CHECKING:
    import altair as alt
    import pandas as pd

EMBEDDINGS, RANDOM = ("word2vec", "fasttext"), "random"
NOT_YET = (
    "Whether it was the dimensions, the embedding or chance is not known yet: python -m captioner ancestors --part question "
    "trains what it takes to tell."
)
_DASHES = {300: [1, 0], 100: [8, 3], 50: [4, 3], 10: [1, 3]}
_MOST = 0.8  # A cause that makes up so much of the course's gap accounts for it.
_HEIGHT, _FONT = 380, 14


@dataclass(frozen=True)
class Group:
    """All seeds of a frozen table of some kind and width."""

    variant: Variant
    dimensions: int
    records: tuple[Record, ...]

    @property
    def name(self) -> str:
        return f"{self.variant.title}, {self.dimensions}"

    def losses(self, epochs: int) -> list[float]:
        """The training loss of each seed after so many epochs."""
        return [record.losses[epochs - 1][0] for record in self.records]


@dataclass(frozen=True)
class Effects:
    """How much each cause moves the training loss after the last epoch that all trainings have reached."""

    epochs: int
    dimensions: Mapping[str, float]  # by table, what the fewest cost against the most
    embedding: float  # FastText against Word2Vec at equal dimensions, the largest
    random: float | None  # rows that mean nothing against both, at the most dimensions
    chance: float  # the largest difference of two seeds of the same setting
    course: float  # what the course project's two curves lie apart at their best


def groups(records: Sequence[Record]) -> list[Group]:
    """By table, widest first."""
    found: dict[tuple[str, int], list[Record]] = {}
    for record in records:
        one = record.ancestor
        plain = one.preset == COURSE and one.activation == "tanh" and one.splits == STANDARD and not record.gave_up
        if plain and one.variant in (*EMBEDDINGS, RANDOM):
            found.setdefault((one.variant, one.dimensions), []).append(record)
    order = sorted(found, key=lambda key: ((*EMBEDDINGS, RANDOM).index(key[0]), -key[1]))
    return [Group(find_variant(key[0]), key[1], tuple(found[key])) for key in order]


def measure(found: Sequence[Group]) -> Effects | None:
    """Nothing before both embeddings were trained with the fewest and the most dimensions, and something twice."""
    table = {(group.variant.name, group.dimensions): group for group in found}
    needed = [(name, width) for name in EMBEDDINGS for width in ENDS]
    repeated = [group for group in found if len(group.records) > 1]
    if not set(needed) <= set(table) or not repeated:
        return None
    epochs, (fewest, most) = reached(found), ENDS
    means = {key: fmean(group.losses(epochs)) for key, group in table.items()}
    both = [name for name in (*EMBEDDINGS, RANDOM) if {(name, fewest), (name, most)} <= set(means)]
    costs = {name: means[name, fewest] - means[name, most] for name in both}
    one, other = EMBEDDINGS
    apart = [means[other, width] - means[one, width] for name, width in means if name == one and (other, width) in means]
    meaning = means.get((RANDOM, most))
    random = None if meaning is None else meaning - fmean(means[name, most] for name in EMBEDDINGS)
    chance = max(max(group.losses(epochs)) - min(group.losses(epochs)) for group in repeated)
    return Effects(epochs, costs, max(apart, key=abs), random, chance, _course_gap())


def reached(found: Sequence[Group]) -> int:
    """The last epoch that all trainings have."""
    return min(len(record.losses) for group in found for record in group.records)


def _course_gap() -> float:
    best = {curve.variant.name: curve.best for curve in read_course()}
    return best[EMBEDDINGS[1]] - best[EMBEDDINGS[0]]


def sentences(records: Sequence[Record]) -> list[str]:
    effects = measure(groups(records))
    return [asked(), told(effects), verdict(effects)] if effects else []


def asked() -> str:
    fasttext, word2vec = (next(one for one in read_course() if one.variant.name == name) for name in reversed(EMBEDDINGS))
    return (
        f"A well-known course project trained one decoder with Word2Vec and one with FastText. The first came to a training loss "
        f"of {word2vec.best:.2f}, the second no further than {fasttext.best:.2f}, and why was left open. Its Word2Vec had "
        f"{word2vec.dimensions} numbers a word, its FastText {fasttext.dimensions}."
    )


def told(effects: Effects) -> str:
    fewest, most = ENDS
    costs = listed([f"{_signed(cost)} with {_title(name)}" for name, cost in effects.dimensions.items()])
    random = f" Rows that mean nothing cost {_signed(effects.random)} at {most} dimensions." if effects.random is not None else ""
    return (
        f"The same decoder, trained here with both at several dimensions and compared after {effects.epochs} epochs, the last "
        f"that all reached: {fewest} dimensions in place of {most} change the training loss by {costs}. FastText in place of "
        f"Word2Vec, at equal dimensions, changes it by {_signed(effects.embedding)} at most.{random} Two trainings that differ "
        f"in nothing but their random numbers lie up to {number(effects.chance)} apart."
    )


def verdict(effects: Effects) -> str:
    """Which of the three causes is the largest, and how much of the course's gap it makes up."""
    causes = {"the dimensions": fmean(effects.dimensions[name] for name in EMBEDDINGS), "the embedding": effects.embedding}
    cause = max(causes, key=causes.get)
    largest, chance = causes.pop(cause), effects.chance
    if largest <= chance:
        return "Neither fewer dimensions nor FastText raises the loss by more than chance does, so neither explains the gap."
    ((name, other),) = causes.items()
    beside = f"what {name} {'do' if name.endswith('s') else 'does'}, {_signed(other)}, "
    beside += "chance can explain" if abs(other) <= chance else "is less, if more than chance"
    share = largest / effects.course
    rest = "so it accounts for the gap" if share >= _MOST else "so a part of the gap has another cause than these three"
    return (
        f"So it is {cause}: {_signed(largest)}; {beside}. That is {share:.0%} of the {number(effects.course)} that the course’s "
        f"two curves lie apart, {rest}."
    )


def _signed(value: float) -> str:
    """
    >>> _signed(0.25), _signed(-0.25)
    ('+0.250', '−0.250')
    """
    return ("+" if value >= 0 else "") + number(value)


def _title(name: str) -> str:
    return find_variant(name).title


def as_table(found: Sequence[Group], epochs: int) -> "pd.DataFrame":
    """A row for each table and width: how its trainings went, over its seeds."""
    import pandas as pd

    rows = {
        group.name: {
            "seeds": len(group.records),
            f"training loss after {epochs} epochs": fmean(group.losses(epochs)),
            "least dev loss": fmean(min(dev for _, dev in record.losses) for record in group.records),
            "test CIDEr": fmean(record.metric("test", VERDICT_METRIC) for record in group.records),
        }
        for group in found
    }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("vectors, dimensions")


def curve_rows(found: Sequence[Group]) -> "pd.DataFrame":
    """The training loss of every epoch that all seeds of a group have: their mean, and between which they lie."""
    import pandas as pd

    columns = ["vectors", "dimensions", "epoch", "loss", "low", "high"]
    return pd.DataFrame([row for group in found for row in _curve(group)], columns=columns)


def _curve(group: Group) -> Iterator[tuple]:
    for epoch in range(1, reached([group]) + 1):
        losses = group.losses(epoch)
        yield group.variant.title, group.dimensions, epoch, fmean(losses), min(losses), max(losses)


def chart(found: Sequence[Group]) -> "alt.LayerChart":
    """A colour for each table, a dash for each width; bands reach from seed to seed."""
    import altair as alt

    rows = curve_rows(found)
    variants = {group.variant.title: group.variant.colour for group in found}
    widths = sorted(set(rows.dimensions), reverse=True)
    dashes = alt.Scale(domain=widths, range=[_DASHES[width] for width in widths])
    colour = alt.Color("vectors:N", title="vectors", scale=alt.Scale(domain=list(variants), range=list(variants.values())))
    dash = alt.StrokeDash("dimensions:N", title="dimensions", scale=dashes)
    axis = alt.Axis(labelFontSize=_FONT, titleFontSize=_FONT, tickMinStep=1)
    across = alt.X("epoch:Q", axis=axis, scale=alt.Scale(nice=False))
    base = alt.Chart(rows).encode(x=across, color=colour, detail="dimensions:N")
    up = {"title": "training loss", "axis": axis, "scale": alt.Scale(zero=False)}
    tips = ["vectors:N", "dimensions:N", "epoch:Q", alt.Tooltip("loss:Q", format=".3f")]
    lines = base.mark_line(strokeWidth=2.5).encode(y=alt.Y("loss:Q", **up), strokeDash=dash, tooltip=tips)
    bands = base.mark_area(opacity=0.15).encode(y=alt.Y("low:Q", **up), y2="high:Q")
    return alt.layer(bands, lines).properties(height=_HEIGHT).configure_legend(labelFontSize=_FONT, titleFontSize=_FONT)


def summary(found: Sequence[Group]) -> str:
    """The chart in words, for who cannot see it."""
    ends = (f"{group.name} {number(fmean(group.losses(reached([group]))))}" for group in found)
    return f"Training losses by epoch; at their ends: {'; '.join(ends)}."
