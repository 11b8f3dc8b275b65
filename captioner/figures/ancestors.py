"""The older recipes beside each other and beside what was published of their like, as rows and sentences. No Streamlit."""

from collections.abc import Sequence
from statistics import fmean
from typing import TYPE_CHECKING, Any

from captioner.ancestor_records import MEASURED, SPLITS, STACKED, Record
from captioner.config import JOINED, STANDARD, VARIANTS
from captioner.figures.published import PUBLISHED, PUBLISHED_ON, System
from captioner.figures.score_charts import SHAPES, axis
from captioner.figures.scoreboard import TITLES, VERDICT_METRIC
from captioner.figures.verdict import listed, number
from captioner.presets import ANCESTORS, find_preset

if TYPE_CHECKING:
    import altair as alt
    import pandas as pd

NONE_YET = (
    "None of the recipes that this program descends from has been trained on these data yet; python -m captioner ancestors "
    "--data DIR trains and scores them."
)
# The published system in which the photograph enters in the same way.
RELATIVES = {
    "course": "Merge, 2018",
    "show-and-tell": "Init-inject, 2018",
    "resnet152-lstm": "Pre-inject, 2018",
    "stacked": "Merge, 2018",
    "attention": "Soft attention, 2015",
}
_ROW, _FONT, _POINT = 16, 14, 90
_INK = "currentColor"  # The colour of the text around the chart, whatever the theme.
DIAMONDS = "A line is the 95% interval. A diamond is the published system in which the photograph enters in the same way."
CLOSE = 0.03  # So far below its relative in CIDEr a recipe may lie and still be called like it.


def table_records(records: Sequence[Record]) -> list[Record]:
    """Each recipe as it is, with each of the three embeddings and the first seed; in the order of both."""
    found = {
        (one.ancestor.preset, one.ancestor.variant): one
        for one in records
        if _as_it_is(one) and one.ancestor.seed == 1 and not one.gave_up
    }
    return [found[preset, variant] for preset in ANCESTORS for variant in VARIANTS if (preset, variant) in found]


def _as_it_is(record: Record) -> bool:
    ancestor = record.ancestor
    return ancestor.settings == find_preset(ancestor.preset) and ancestor.splits == STANDARD


def rows(records: Sequence[Record]) -> list[dict[str, str]]:
    """What a reader sees of each, as texts."""
    found = table_records(records)
    measured = [name for name in (*MEASURED, "meteor") if all(name in one.data["test"]["metrics"] for one in found)]
    return [_row(record, measured) for record in found]


def _row(record: Record, measured: Sequence[str]) -> dict[str, str]:
    data, relative = record.data, relative_of(record)
    scores = {f"{split} {TITLES[name]}": _score(record, split, name) for split in reversed(SPLITS) for name in measured}
    published = {"published": f"{relative.title}: {_told(relative)}" if relative else ""}
    return {"recipe": record.ancestor.preset, "vectors": record.title} | published | scores | {
        "parameters": f"{data['trainable'] + data['frozen']:,}",
        "of them trained": f"{data['trainable']:,}",
        "seconds of the fastest epoch": f"{data['fastest_epoch']:.0f}",
        "milliseconds a caption": f"{data['ms_per_caption']:.0f}",
    }


def _score(record: Record, split: str, name: str) -> str:
    if not record.has(split):
        return ""
    ends = record.data[split]["intervals"].get(name)
    interval = f" ({number(ends[0])} to {number(ends[1])})" if ends else ""
    return f"{number(record.metric(split, name))}{interval}"


def relative_of(record: Record) -> System | None:
    """The published system in which the photograph enters in the same way, where it was scored on the same photographs."""
    if record.data["data"] != PUBLISHED_ON[0]:
        return None
    return next(system for system in PUBLISHED if system.title == RELATIVES[record.ancestor.preset])


def _told(system: System) -> str:
    """Its CIDEr, or where it has none the BLEU-4 that it has."""
    name = VERDICT_METRIC if VERDICT_METRIC in system.metrics else "bleu4"
    return f"{TITLES[name]} {number(system.metrics[name])}"


def chart(records: Sequence[Record]) -> "alt.LayerChart":
    """For each recipe its decoders in their colours and shapes with intervals, and a diamond for what was published."""
    import altair as alt
    import pandas as pd

    found = table_records(records)
    rows = pd.DataFrame([_scored(record) for record in found], columns=["recipe", "vectors", "cider", "low", "high"])
    others = {one.ancestor.preset: relative_of(one) for one in found}
    known = [(name, one.title, one.metrics.get(VERDICT_METRIC)) for name, one in others.items() if one]
    published = alt.Chart(pd.DataFrame(known, columns=["recipe", "system", "cider"]).dropna())
    up = alt.Y("recipe:N", title=None, sort=list(ANCESTORS), axis=axis(labelLimit=0, ticks=False, domain=False))
    across = alt.X("cider:Q", title="test CIDEr, more is better", scale=alt.Scale(zero=False, padding=12), axis=axis())
    beside = alt.YOffset("vectors:N", sort=_titles())
    base = alt.Chart(rows).encode(y=up, yOffset=beside, color=_colours())
    bars = base.mark_rule(strokeWidth=3).encode(x=alt.X("low:Q"), x2="high:Q")
    tips = ["recipe:N", "vectors:N", *(alt.Tooltip(f"{name}:Q", format=".3f") for name in ("cider", "low", "high"))]
    shapes = alt.Shape("vectors:N", scale=alt.Scale(domain=_titles(), range=list(SHAPES.values())), legend=None)
    points = base.mark_point(filled=True, size=_POINT, opacity=1).encode(x=across, shape=shapes, tooltip=tips)
    diamonds = published.mark_point(shape="diamond", size=_POINT * 1.4, strokeWidth=2, color=_INK)
    diamonds = diamonds.encode(x=across, y=up, tooltip=["system:N", alt.Tooltip("cider:Q", format=".3f")])
    return alt.layer(bars, points, diamonds).properties(height=alt.Step(_ROW))


def _scored(record: Record) -> tuple[str, str, float, float, float]:
    low, high = record.data["test"]["intervals"][VERDICT_METRIC]
    return record.ancestor.preset, record.title, record.metric("test", VERDICT_METRIC), low, high


def _titles() -> list[str]:
    return [variant.title for variant in VARIANTS.values()]


def _colours() -> Any:
    import altair as alt

    scale = alt.Scale(domain=_titles(), range=[variant.colour for variant in VARIANTS.values()])
    legend = alt.Legend(orient="top", title=None, symbolSize=_POINT, labelFontSize=_FONT, labelColor=_INK)
    return alt.Color("vectors:N", scale=scale, legend=legend)


def summary(records: Sequence[Record]) -> str:
    """The chart in words, for who cannot see it."""
    found = [_scored(record) for record in table_records(records)]
    return f"Test CIDEr: {'; '.join(f'{recipe} with {vectors} {number(cider)}' for recipe, vectors, cider, *_ in found)}."


def as_table(records: Sequence[Record]) -> "pd.DataFrame":
    import pandas as pd

    found = rows(records)
    index = [f"{row['recipe']}, {row['vectors']}" for row in found]
    table = pd.DataFrame(found, index=index).drop(columns=["recipe", "vectors"])
    return table.rename_axis("recipe, vectors")


def sentences(records: Sequence[Record]) -> list[str]:
    """What the table says; nothing that takes a training which is not there."""
    return list(filter(None, [held_against(records), conditions(records), relu_note(records), splits_note(records)]))


def held_against(records: Sequence[Record]) -> str:
    """Each recipe's mean over its embeddings against its published relative."""
    groups = {preset: [one for one in table_records(records) if one.ancestor.preset == preset] for preset in ANCESTORS}
    told: dict[bool, list[str]] = {True: [], False: []}
    for preset, group in groups.items():
        relative = relative_of(group[0]) if group else None
        if relative and VERDICT_METRIC in relative.metrics:
            own, other = fmean(one.metric("test", VERDICT_METRIC) for one in group), relative.metrics[VERDICT_METRIC]
            told[own >= other - CLOSE].append(f"{preset} {number(own)} ({relative.title}: {number(other)})")
    if not any(told.values()):
        return ""
    opening = (
        "Test CIDEr, mean over the embeddings that were trained, against the published systems in which the photograph enters in "
        "the same way."
    )
    like = f"Within {CLOSE:g} of theirs or above: {listed(told[True])}." if told[True] else ""
    below = f"Further below: {listed(told[False])}." if told[False] else ""
    return " ".join(filter(None, [opening, like, below]))


def conditions(records: Sequence[Record]) -> str:
    found = table_records(records)
    if not found:
        return ""
    encoders, cores = ({one.data[name] for one in found} for name in ("encoder", "cores"))
    few, many = min(cores), max(cores)
    on = f"{few} core{'s' * (few > 1)}" if few == many else f"{few} to {many} cores"
    told = (
        f"All look through {listed(sorted(encoders))} and were trained once (seed 1) on {on}; each looks for captions as its "
        "preset says, with a beam and a preference for length that were not chosen on dev. The 95% intervals are from drawing "
        "the photographs again."
    )
    if any(map(relative_of, found)):
        told += " The published ones had another CNN, VGG16 or VGG19, and are means of three trainings or of one."
    return told


def _stacked(records: Sequence[Record], **changes: Any) -> Record | None:
    """The training of `stacked` with Word2Vec that has these changes and no others."""
    wanted = {"activation": "tanh", "splits": STANDARD, "variant": "word2vec", "seed": 1, "preset": STACKED} | changes
    return next((one for one in records if all(getattr(one.ancestor, name) == wanted[name] for name in wanted)), None)


def relu_note(records: Sequence[Record]) -> str:
    """What ReLU in place of the hyperbolic tangent did to the training of four LSTMs."""
    tanh, relu = _stacked(records), _stacked(records, activation="relu")
    if not (tanh and relu) or tanh.gave_up:
        return ""
    opening = "The stacked recipe with ReLU in its LSTMs in place of the hyperbolic tangent"
    if relu.gave_up:
        epochs = f"{len(relu.losses)} whole epoch{'s' * (len(relu.losses) != 1)}"
        return f"{opening} could not be trained to its end: after {epochs} its loss ran away."
    losses = [min(dev for _, dev in one.losses) for one in (relu, tanh)]
    first = [one.losses[0][0] for one in (relu, tanh)]
    ciders = [one.metric("test", VERDICT_METRIC) for one in (relu, tanh)]
    return (
        f"{opening} comes to a dev loss of {number(losses[0])} instead of {number(losses[1])} and a test CIDEr of "
        f"{number(ciders[0])} instead of {number(ciders[1])}; the training loss of its first epoch is {number(first[0])} instead "
        f"of {number(first[1])}."
    )


def splits_note(records: Sequence[Record]) -> str:
    """What a thousand training photographs more are worth, by the other way to split."""
    plain, joined = _stacked(records), _stacked(records, splits=JOINED)
    if not (plain and joined) or plain.gave_up or joined.gave_up:
        return ""
    many = f"{joined.data['trained_on']:,} photographs in place of {plain.data['trained_on']:,}"
    return (
        f"Trained on train and dev together ({many}) the stacked recipe reaches a test CIDEr "
        f"of {_score(joined, 'test', VERDICT_METRIC)} instead of {_score(plain, 'test', VERDICT_METRIC)}; dev, by which it "
        "stops, is then no longer unseen."
    )
