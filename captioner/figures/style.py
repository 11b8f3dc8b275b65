"""What all figures share: numbers and lists as text, and the ink, axes and legends of charts. Knows no Streamlit."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

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


_TEXT = {"labelColor": INK, "titleColor": INK, "labelFontSize": FONT, "titleFontSize": FONT, "labelFlush": False}
