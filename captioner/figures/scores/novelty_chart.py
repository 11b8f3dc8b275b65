"""The novelty curve as a chart and a table. Knows no Streamlit."""

import altair as alt
import pandas as pd

from captioner.config import VARIANTS
from captioner.figures.scores.novelty_text import told
from captioner.figures.style import FONT, INK, POINT, axis, by_variant, legend
from captioner.scoring.novelty_curve import BETTER, MEAN, USUAL, WORSE, Curve

_LABELS = {BETTER: "better than usual", WORSE: "worse than usual"}
_TITLES = {name: variant.title for name, variant in VARIANTS.items()} | {MEAN: MEAN}
_HEIGHT, _LINE = 340, 17


def rows(curve: Curve) -> pd.DataFrame:
    """One row per bin and decoder, and per bin for the mean."""
    found = [
        (_TITLES[name], one.start, one.end, (one.start + one.end) / 2, *estimate)
        for one in curve.bins
        for name, estimate in one.cider.items()
    ]
    return pd.DataFrame(found, columns=["who", "start", "end", "middle", "cider", "low", "high"])


def chart(curve: Curve) -> alt.LayerChart:
    """Decoders as thin lines in their colours and dashes, their mean as points with intervals; zones are shaded."""
    table = rows(curve)
    x = alt.X("middle:Q", title="how many of 100 photographs are less strange", scale=alt.Scale(domain=[0, 100]), axis=axis())
    y = alt.Y("cider:Q", title="CIDEr on dev", scale=alt.Scale(domainMin=0), axis=axis(tickCount=5))
    tips = [alt.Tooltip(f"{name}:Q", format=".3f") for name in ("cider", "low", "high")]
    base = alt.Chart(table[table.who == MEAN])
    intervals = base.mark_rule(strokeWidth=4, color=INK, opacity=0.55).encode(x=x, y="low:Q", y2="high:Q")
    points = base.mark_point(filled=True, size=POINT, color=INK, opacity=1)
    points = points.encode(x=x, y=y, tooltip=["start:Q", "end:Q", *tips])
    whole = pd.DataFrame({"cider": [curve.whole.cider[MEAN].value]})
    usual = alt.Chart(whole).mark_rule(strokeWidth=2, strokeDash=[6, 4], color=INK).encode(y=y)
    decoders = [variant for name, variant in VARIANTS.items() if name in curve.whole.cider]
    key = legend(symbolType="stroke", symbolSize=400)
    colour, dash = (by_variant(look, "who", decoders, legend=key) for look in ("colour", "dash"))
    lines = alt.Chart(table[table.who != MEAN]).mark_line(strokeWidth=2).encode(x=x, y=y, color=colour, strokeDash=dash)
    return alt.layer(*_zones(curve), usual, lines, intervals, points).properties(height=_HEIGHT)


def _zones(curve: Curve) -> list[alt.Chart]:
    """Shade the stretches with significantly better or worse captions; their names are at the foot, below the intervals."""
    zones = [(zone.start, zone.end, _LABELS[name]) for name, zone in curve.zones.items() if name != USUAL]
    base = alt.Chart(pd.DataFrame(zones, columns=["start", "end", "label"]).assign(foot=0))
    shade = base.mark_rect(color=INK, opacity=0.08).encode(x="start:Q", x2="end:Q")
    names = base.transform_calculate(middle="(datum.start + datum.end) / 2")
    names = names.mark_text(baseline="bottom", dy=-6 - 2 * _LINE, fontSize=FONT, lineHeight=_LINE, lineBreak=" ", color=INK)
    return [shade, names.encode(x="middle:Q", y="foot:Q", text="label:N")]


def as_table(curve: Curve) -> pd.DataFrame:
    """Every bin as text, and the correlation in the last row."""
    stretches = {f"{one.start:.0f} to {one.end:.0f}": one.cider for one in (*curve.bins, curve.whole)}
    figures = pd.DataFrame.from_dict(stretches | {"rank correlation": curve.correlation}, orient="index")
    return figures.map(told).rename(columns=_TITLES).rename_axis("less strange, of 100")
