"""CIDEr along the order of strangeness: a chart, its table and its summary. Knows no Streamlit."""

from typing import TYPE_CHECKING

from captioner.config import VARIANTS
from captioner.figures.style import FONT, INK, POINT, axis, legend
from captioner.scoring.novelty_curve import BETTER, MEAN, USUAL, WORSE, Curve, Estimate, Stretch

if TYPE_CHECKING:
    import altair as alt
    import pandas as pd

_LABELS = {BETTER: "better than usual", WORSE: "worse than usual"}
_HEIGHT, _LINE = 340, 17


def verdict(curve: Curve) -> str:
    """How strangeness and CIDEr go together, and the CIDEr of the photographs at the ends of the order."""
    ends = [f"{told(zone.cider[MEAN])} on {strangest(zone)}" for name, zone in curve.zones.items() if name != USUAL]
    return (
        f"On {curve.whole.photographs:,} dev photographs, the rank correlation of strangeness and CIDEr is "
        f"{told(curve.correlation[MEAN])}. Mean CIDEr: {', '.join([*ends, f'{curve.whole.cider[MEAN].value:.2f} on all'])}. "
        f"The stranger of two photographs has the worse captions {curve.novel_is_worse:.0%} of the time."
    )


def strangest(zone: Stretch) -> str:
    """The name of a zone at one end of the order."""
    return f"the {zone.photographs:,} {'least strange' if zone.start == 0 else 'strangest'}"


def told(found: Estimate) -> str:
    """
    >>> told(Estimate(-0.208, -0.268, -0.147))
    '−0.21 (−0.27 to −0.15)'
    """
    value, low, high = (f"{figure:.2f}".replace("-", "−") for figure in found)
    return f"{value} ({low} to {high})"


def rows(curve: Curve) -> "pd.DataFrame":
    """One row per bin and decoder, and per bin for the mean."""
    import pandas as pd

    names = {name: VARIANTS[name].title if name in VARIANTS else name for name in curve.whole.cider}
    found = [
        (names[name], one.start, one.end, (one.start + one.end) / 2, *estimate)
        for one in curve.bins
        for name, estimate in one.cider.items()
    ]
    return pd.DataFrame(found, columns=["who", "start", "end", "middle", "cider", "low", "high"])


def chart(curve: Curve) -> "alt.LayerChart":
    """Decoders as thin lines in their colours and dashes, their mean as points with intervals; zones are shaded."""
    import altair as alt
    import pandas as pd

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
    return alt.layer(*_zones(curve), usual, _lines(table, x, y), intervals, points).properties(height=_HEIGHT)


def _lines(table: "pd.DataFrame", x: "alt.X", y: "alt.Y") -> "alt.Chart":
    """One line per decoder, with a legend."""
    import altair as alt

    titles = [variant.title for variant in VARIANTS.values() if variant.title in set(table.who)]
    colours = [variant.colour for variant in VARIANTS.values() if variant.title in titles]
    dashes = [list(variant.dash) for variant in VARIANTS.values() if variant.title in titles]
    key = legend(symbolType="stroke", symbolSize=400)
    colour = alt.Color("who:N", scale=alt.Scale(domain=titles, range=colours), legend=key)
    dash = alt.StrokeDash("who:N", scale=alt.Scale(domain=titles, range=dashes), legend=key)
    return alt.Chart(table[table.who != MEAN]).mark_line(strokeWidth=2).encode(x=x, y=y, color=colour, strokeDash=dash)


def _zones(curve: Curve) -> "list[alt.Chart]":
    """Shade the stretches with significantly better or worse captions; their names are at the foot, below the intervals."""
    import altair as alt
    import pandas as pd

    zones = [(zone.start, zone.end, _LABELS[name]) for name, zone in curve.zones.items() if name != USUAL]
    base = alt.Chart(pd.DataFrame(zones, columns=["start", "end", "label"]).assign(foot=0))
    shade = base.mark_rect(color=INK, opacity=0.08).encode(x="start:Q", x2="end:Q")
    names = base.transform_calculate(middle="(datum.start + datum.end) / 2")
    names = names.mark_text(baseline="bottom", dy=-6 - 2 * _LINE, fontSize=FONT, lineHeight=_LINE, lineBreak=" ", color=INK)
    return [shade, names.encode(x="middle:Q", y="foot:Q", text="label:N")]


def as_table(curve: Curve) -> "pd.DataFrame":
    """Every bin as text, and the correlation in the last row."""
    import pandas as pd

    stretches = {f"{one.start:.0f} to {one.end:.0f}": one.cider for one in (*curve.bins, curve.whole)}
    titles = {name: VARIANTS[name].title if name in VARIANTS else name for name in curve.whole.cider}
    cells = {
        row: {titles[name]: told(found) for name, found in figures.items()}
        for row, figures in (stretches | {"rank correlation": curve.correlation}).items()
    }
    return pd.DataFrame.from_dict(cells, orient="index").rename_axis("less strange, of 100")


def summary(curve: Curve) -> str:
    """Alternative text for the chart."""
    facts = [f"{one.start:.0f} to {one.end:.0f}: {one.cider[MEAN].value:.2f}" for one in curve.bins]
    return "Mean CIDEr on dev, from the least strange photographs to the strangest; " + ", ".join(facts) + "."
