"""The older recipes and their published relatives as a table and a chart. Knows no Streamlit."""

import re
from collections.abc import Sequence
from typing import NamedTuple

import altair as alt
import pandas as pd

from captioner.config import VARIANTS
from captioner.experiments.plans import RECIPES as PLAN
from captioner.experiments.plans import SPLITS
from captioner.experiments.records import MEASURED, Record
from captioner.figures.scores.published import PUBLISHED, PUBLISHED_ON, System
from captioner.figures.scores.scoreboard import TITLES, VERDICT_METRIC
from captioner.figures.style import INK, POINT, axis, by_variant, legend, names_axis, number
from captioner.presets import OLDER_RECIPES


class Recipe(NamedTuple):
    """How the photograph enters, what else there is to say, both in Markdown, and the published system that does it alike."""

    entry: str
    others: str
    relative: str


RECIPES = {
    "course": Recipe(
        "*merge*: its mean feature, projected to 256 units, is added to the LSTM's output",
        "dropout 0.5 on photograph and words, one LSTM of 256 units, a hidden layer; a well-known course project",
        "Merge, 2018",
    ),
    "show-and-tell": Recipe(
        "*init*: it is the LSTM's initial state",
        "embedding and LSTM of 512, no hidden layer, beam size 3; after Vinyals et al., 2015",
        "Init-inject, 2018",
    ),
    "resnet152-lstm": Recipe(
        "*pre*: it is the first word, after a linear layer and batch normalisation",
        "an LSTM of 512, words seen 4 times, greedy search, up to 20 words; a popular tutorial",
        "Pre-inject, 2018",
    ),
    "stacked": Recipe(
        "*merge*: the mean features of nine blocks of regions, concatenated",
        "4 stacked LSTMs, words seen 10 times; `--splits 7000-1000` trains on train and dev together, and leaves only test for "
        "scoring",
        "Merge, 2018",
    ),
    "attention": Recipe(
        "*attention*, additive as first published: before the LSTM reads a word",
        "an LSTM of 512; after Xu et al., 2015, without their gate and their second loss. Triptych attends after the LSTM, "
        "with several heads (`--set attention=heads`)",
        "Soft attention, 2015",
    ),
}
_ROW = 16
MARKS = "Lines: 95% intervals. Diamonds: the published system in which the photograph enters the same way, where there is one."


def table_records(records: Sequence[Record]) -> list[Record]:
    """The finished runs of the table, in its order."""
    found = {one.trial: one for one in records if not one.gave_up}
    return [found[trial] for trial in PLAN.trials(["table"]) if trial in found]


def rows(records: Sequence[Record]) -> list[dict[str, str]]:
    """The table, as text."""
    found = table_records(records)
    parts = [scores.metrics for one in found for scores in one.scores.values()]
    measured = [name for name in (*MEASURED, "meteor") if all(name in part for part in parts)]
    return [_row(record, measured) for record in found]


def _row(record: Record, measured: Sequence[str]) -> dict[str, str]:
    relative = relative_of(record)
    scores = {f"{split} {TITLES[name]}": score(record, split, name) for split in reversed(SPLITS) for name in measured}
    name = main_metric(relative) if relative else ""
    published = f"{relative.title}: {TITLES[name]} {number(relative.metrics[name])}" if relative else ""
    return {"recipe": record.trial.preset, "vectors": record.title} | scores | {
        "words": f"{record.words:,}",
        "parameters": f"{record.trainable + record.frozen:,}",
        "of them trained": f"{record.trainable:,}",
        "seconds of the fastest epoch": f"{record.fastest_epoch:.0f}",
        "milliseconds a caption": f"{record.ms_per_caption:.0f}",
        "published": published,
    }


def score(record: Record, split: str, name: str) -> str:
    if split not in record.scores:
        return ""
    ends = record.scores[split].intervals.get(name)
    interval = f" ({number(ends[0])} to {number(ends[1])})" if ends else ""
    return f"{number(record.metric(split, name))}{interval}"


def relative_of(record: Record) -> System | None:
    """The published system in which the photograph enters the same way, if it was scored on the same photographs."""
    if record.data != PUBLISHED_ON[0]:
        return None
    return next(system for system in PUBLISHED if system.title == RECIPES[record.trial.preset].relative)


def main_metric(system: System) -> str:
    """CIDEr, or BLEU-4 where no CIDEr was published."""
    return VERDICT_METRIC if VERDICT_METRIC in system.metrics else "bleu4"


def chart(records: Sequence[Record]) -> alt.LayerChart:
    """Per recipe: its decoders in their colours and shapes with intervals, and a diamond for the published system."""
    found = table_records(records)
    rows = pd.DataFrame([_scored(record) for record in found], columns=["recipe", "vectors", "cider", "low", "high"])
    others = {one.trial.preset: relative_of(one) for one in found}
    known = [(name, one.title, one.metrics.get(VERDICT_METRIC)) for name, one in others.items() if one]
    published = alt.Chart(pd.DataFrame(known, columns=["recipe", "system", "cider"]).dropna())
    up = alt.Y("recipe:N", title=None, sort=list(OLDER_RECIPES), axis=names_axis())
    across = alt.X("cider:Q", title="test CIDEr, more is better", scale=alt.Scale(zero=False, padding=12), axis=axis())
    variants = VARIANTS.values()
    beside = alt.YOffset("vectors:N", sort=[variant.title for variant in variants])
    colour = by_variant("colour", "vectors", variants, legend=legend(symbolSize=POINT))
    base = alt.Chart(rows).encode(y=up, yOffset=beside, color=colour)
    bars = base.mark_rule(strokeWidth=3).encode(x=alt.X("low:Q"), x2="high:Q")
    tips = ["recipe:N", "vectors:N", *(alt.Tooltip(f"{name}:Q", format=".3f") for name in ("cider", "low", "high"))]
    shapes = by_variant("shape", "vectors", variants, legend=None)
    points = base.mark_point(filled=True, size=POINT, opacity=1).encode(x=across, shape=shapes, tooltip=tips)
    diamonds = published.mark_point(shape="diamond", size=POINT * 1.4, strokeWidth=2, color=INK)
    diamonds = diamonds.encode(x=across, y=up, tooltip=["system:N", alt.Tooltip("cider:Q", format=".3f")])
    return alt.layer(bars, points, diamonds).properties(height=alt.Step(_ROW))


def _scored(record: Record) -> tuple[str, str, float, float, float]:
    low, high = record.scores["test"].intervals[VERDICT_METRIC]
    return record.trial.preset, record.title, record.metric("test", VERDICT_METRIC), low, high


def recipes() -> list[tuple[str, str]]:
    """Every recipe in one line of plain text."""
    return [(name, re.sub("[*`]", "", f"{one.entry}; {one.others}")) for name, one in RECIPES.items()]


def summary(records: Sequence[Record]) -> str:
    """Alternative text for the chart."""
    found = [_scored(record) for record in table_records(records)]
    return f"Test CIDEr: {'; '.join(f'{recipe} with {vectors} {number(cider)}' for recipe, vectors, cider, *_ in found)}."


def as_table(records: Sequence[Record]) -> pd.DataFrame:
    found = rows(records)
    index = [f"{row['recipe']}, {row['vectors']}" for row in found]
    table = pd.DataFrame(found, index=index).drop(columns=["recipe", "vectors"])
    return table.rename_axis("recipe, vectors")
