"""What all figures share: numbers and lists as text, and the ink, axes and legends of charts. Knows no Streamlit."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from captioner.config import Variant

if TYPE_CHECKING:
    import altair as alt

INK = "currentColor"  # the text colour around the chart, in either theme
FONT, POINT = 14, 90
SHAPES = {"learned": "circle", "word2vec": "square", "fasttext": "triangle-up"}  # of a decoder's points


def number(value: float) -> str:
    """
    >>> number(0.0112), number(-0.008)
    ('0.011', '−0.008')
    """
    return f"{value:.3f}".replace("-", "−")


def signed(value: float) -> str:
    """
    >>> signed(0.25), signed(-0.25)
    ('+0.250', '−0.250')
    """
    return ("+" if value >= 0 else "") + number(value)


def listed(words: Sequence[str]) -> str:
    """
    >>> listed(["a"]), listed(["a", "b", "c"])
    ('a', 'a, b and c')
    """
    return " and ".join(filter(None, [", ".join(words[:-1]), words[-1]]))


def axis(**more: Any) -> "alt.Axis":
    """An axis without a grid, in the size and ink of the text around the chart."""
    import altair as alt

    return alt.Axis(**(_TEXT | {"grid": False, "tickCount": 6} | more))


def names_axis(**more: Any) -> "alt.Axis":
    """An axis of names: no line, no ticks, no name cut short."""
    return axis(**({"labelLimit": 0, "ticks": False, "domain": False} | more))


def legend(**more: Any) -> "alt.Legend":
    """A legend above the chart, without a title."""
    import altair as alt

    return alt.Legend(**({"orient": "top", "title": None, "labelFontSize": FONT, "labelColor": INK} | more))


def by_variant(look: str, field: str, variants: Iterable[Variant], **more: Any) -> Any:
    """The channel for the colour, dash or shape of variants, whose titles are in a field of the chart's data."""
    import altair as alt

    channel = {"colour": alt.Color, "dash": alt.StrokeDash, "shape": alt.Shape}[look]
    looks = {
        one.title: {"colour": one.colour, "dash": list(one.dash), "shape": SHAPES.get(one.name)}[look] for one in variants
    }
    return channel(f"{field}:N", scale=alt.Scale(domain=list(looks), range=list(looks.values())), **more)


_TEXT = {"labelColor": INK, "titleColor": INK, "labelFontSize": FONT, "titleFontSize": FONT, "labelFlush": False}
