"""Charts of scores and their tables: all scores with intervals, paired differences, beam sizes.

Knows no Streamlit. `captioner.figures.scores.verdict` puts the numbers into words.
"""

import math
from typing import Any

import altair as alt
import pandas as pd

from captioner.config import VARIANTS
from captioner.figures.scores.published import PUBLISHED, PUBLISHED_ON
from captioner.figures.scores.scoreboard import TITLES, VERDICT_METRIC, Board, TriedBeams
from captioner.figures.scores.verdict import Gap
from captioner.figures.style import FONT, INK, SHAPES, axis, by_variant, legend, listed, names_axis, number
from captioner.scoring.baselines import ScoreSummary
from captioner.scoring.comparison import CONSTANT, PEOPLE

RODS = {PEOPLE: "People", CONSTANT: "One sentence for all"}
GAP_NUMBERS = ["difference", "low", "high"]
_BREAK = "|"  # where a name continues on a second line
_ROW, _POINT = 40, 100


def score_rows(board: Board, metric: str) -> pd.DataFrame:
    """One metric, best first: decoders, yardsticks, and published systems."""
    rows = [_row(entry.variant.title, "decoder", entry.score, metric) for entry in board.entries]
    if board.comparison:
        rows += [_row(RODS[name], "yardstick", rod, metric) for name, rod in board.comparison.yardsticks.items()]
    if (board.data, board.split) == PUBLISHED_ON:
        rows += [_row(system.title, "published", ScoreSummary(system.metrics, {}), metric) for system in PUBLISHED]
    table = pd.DataFrame([row for row in rows if row], columns=["who", "kind", "score", "low", "high"])
    return table.sort_values("score", ascending=False, ignore_index=True)


def _row(who: str, kind: str, score: ScoreSummary, metric: str) -> tuple | None:
    if metric not in score.metrics:
        return None
    return (who, kind, score.metrics[metric], *score.intervals.get(metric, (None, None)))


def score_chart(rows: pd.DataFrame, metric: str) -> alt.LayerChart:
    """A row for each: decoders in their colour and shape, others as hollow diamonds; thick lines are 95% intervals."""
    rows = rows.assign(label=rows.score.map(number), end=rows.high.fillna(rows.score))
    names, known = list(rows.who), {variant.title: variant.colour for variant in VARIANTS.values()}
    colours = alt.Scale(domain=names, range=[known.get(name, INK) for name in names])
    chart = alt.Chart(rows).encode(y=_names("who", names), color=alt.Color("who:N", legend=None, scale=colours))
    value = alt.X("score:Q", title=f"{TITLES[metric]}, more is better", axis=axis(), scale=alt.Scale(domainMin=0))
    tooltip = ["who:N", *(alt.Tooltip(name, type="quantitative", format=".3f") for name in ("score", "low", "high"))]
    # One mark per dash: dashes encoded from the data would also be drawn around points.
    own = {variant: chart.transform_filter(f"datum.who == '{variant.title}'") for variant in VARIANTS.values()}
    bars = [part.mark_rule(strokeWidth=4, strokeDash=list(variant.dash)) for variant, part in own.items()]
    bars.append(chart.transform_filter("datum.kind == 'yardstick'").mark_rule(strokeWidth=2))
    intervals = [bar.encode(x="low:Q", x2="high:Q") for bar in bars]
    points = [part.mark_point(shape=SHAPES[one.name], filled=True, size=_POINT, opacity=1) for one, part in own.items()]
    others = chart.transform_filter("datum.kind != 'decoder'").mark_point(shape="diamond", size=_POINT * 0.6, strokeWidth=2)
    marks = [mark.encode(x=value, tooltip=tooltip) for mark in (*points, others)]
    labels = chart.mark_text(align="left", dx=11, fontSize=FONT)
    labels = labels.encode(x="end:Q", text="label:N", color=alt.value(INK))
    return alt.layer(*intervals, *marks, labels).properties(height=alt.Step(_ROW))


def score_table(rows: pd.DataFrame, board: Board, metric: str) -> pd.DataFrame:
    """The same as text; decoders also have their score against as few captions as people are scored against."""
    fewer = board.comparison.against_fewer if board.comparison else {}
    scores = {VARIANTS[name].title: score.metrics.get(metric) for name, score in fewer.items()}
    table = rows.set_index("who").drop(columns="kind").assign(fewer=lambda table: table.index.map(scores))
    return table.astype(float).map(_text_of).rename(columns={"fewer": "against one caption fewer"})


def _text_of(value: float) -> str:
    return "" if math.isnan(value) else number(value)


def score_summary(rows: pd.DataFrame, metric: str) -> str:
    """Alternative text for the chart."""
    return f"{TITLES[metric]}, best first: " + listed([f"{row.who} {number(row.score)}" for row in rows.itertuples()]) + "."


def gap_table(gaps: list[Gap]) -> pd.DataFrame:
    rows = [(f"{gap.better} − {gap.worse}", gap.value, gap.low, gap.high, _meaning(gap)) for gap in gaps]
    return pd.DataFrame(rows, columns=["pair", "difference", "low", "high", "meaning"])


def gap_chart(gaps: list[Gap], metric: str) -> alt.LayerChart:
    """The difference of every pair with its interval, and a line at zero."""
    rows = gap_table(gaps)
    rows["label"] = rows.pair + _BREAK + rows.meaning
    chart = alt.Chart(rows).encode(y=_names("label", list(rows.label)))
    value = alt.X("difference:Q", title=f"difference in {TITLES[metric]}", axis=axis())
    tooltip = ["pair:N", *(alt.Tooltip(name, type="quantitative", format=".3f") for name in ("difference", "low", "high"))]
    zero = alt.Chart(pd.DataFrame({"difference": [0]})).mark_rule(strokeWidth=2, strokeDash=[6, 4], color=INK)
    bars = chart.mark_rule(strokeWidth=4, color=INK, opacity=0.75).encode(x="low:Q", x2="high:Q")
    points = chart.mark_point(shape="circle", filled=True, size=_POINT, color=INK, opacity=1).encode(x=value, tooltip=tooltip)
    return alt.layer(zero.encode(x="difference:Q"), bars, points).properties(height=alt.Step(_ROW * 1.4))


def gap_summary(gaps: list[Gap], metric: str) -> str:
    facts = [f"{gap.better} above {gap.worse} by {gap}, {_meaning(gap)}" for gap in gaps]
    return f"Paired differences in {TITLES[metric]}: " + "; ".join(facts) + "."


def beam_chart(tried: TriedBeams) -> alt.LayerChart:
    """CIDEr on dev by beam size, with the chosen length preference."""
    rows = [(VARIANTS[name].title, trial.beam, value) for trial in tried.by_beam for name, value in trial.cider.items()]
    variants = [VARIANTS[name] for name in tried.by_beam[0].cider]
    key = legend(symbolSize=_POINT, symbolStrokeWidth=0)
    chart = alt.Chart(pd.DataFrame(rows, columns=["decoder", "beam", "cider"])).encode(
        x=alt.X("beam:O", title="beam", axis=axis(labelAngle=0)),
        y=alt.Y("cider:Q", title="CIDEr on dev", scale=alt.Scale(zero=False, padding=12), axis=axis(tickCount=5)),
        color=by_variant("colour", "decoder", variants, legend=key),
    )
    # Without a legend for dashes they are not drawn around its points.
    lines = chart.mark_line(strokeWidth=3).encode(strokeDash=by_variant("dash", "decoder", variants, legend=None))
    points = chart.mark_point(filled=True, size=_POINT, opacity=1).encode(
        shape=by_variant("shape", "decoder", variants, legend=key),
        tooltip=["decoder:N", "beam:O", alt.Tooltip("cider:Q", format=".3f")],
    )
    return alt.layer(lines, points).properties(height=300)


def beam_table(tried: TriedBeams) -> pd.DataFrame:
    """Every setting that was tried."""
    rows = [
        {"beam": trial.beam, "length preference": "" if trial.beam == 1 else f"{trial.length_preference:g}"}
        | {VARIANTS[name].title: value for name, value in trial.cider.items()}
        | {"mean": sum(trial.cider.values()) / len(trial.cider)}
        for trial in tried.trials
    ]
    return pd.DataFrame(rows).set_index(["beam", "length preference"])


def beam_summary(tried: TriedBeams) -> str:
    facts = [
        f"beam {trial.beam}: " + listed([f"{VARIANTS[name].title} {number(value)}" for name, value in trial.cider.items()])
        for trial in tried.by_beam
    ]
    return "CIDEr on dev by beam; " + "; ".join(facts) + "."


def published_table() -> pd.DataFrame:
    """Published systems as text, a column per metric."""
    rows = {
        system.title: {title: number(system.metrics[name]) if name in system.metrics else "" for name, title in TITLES.items()}
        for system in PUBLISHED
    }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("system")


def published_summary() -> str:
    named = [(system, "bleu1" if "bleu1" in system.metrics else VERDICT_METRIC) for system in PUBLISHED]
    known = [f"{system.title} {TITLES[name]} {number(system.metrics[name])}" for system, name in named]
    return "Published figures: " + listed(known) + "; all of them in the table."


def _meaning(gap: Gap) -> str:
    return "significant" if gap.significant else "not significant"


def _names(field: str, order: list[str]) -> Any:
    lines = {"labelExpr": f"split(datum.label, '{_BREAK}')", "labelLineHeight": FONT * 1.3}
    return alt.Y(f"{field}:N", title=None, sort=order, axis=names_axis(grid=True, labelPadding=8, **lines))
