"""What all figures share: text, axes and legends."""

import doctest

from captioner.figures import style


def test_the_examples():
    assert doctest.testmod(style).failed == 0


def test_an_axis_takes_the_ink_of_the_page_and_what_it_is_given():
    drawn = style.axis(tickCount=3, format="~g").to_dict()
    assert (drawn["labelColor"], drawn["tickCount"], drawn["format"], drawn["grid"]) == (style.INK, 3, "~g", False)
    names = style.names_axis(grid=True).to_dict()
    assert (names["labelLimit"], names["ticks"], names["grid"]) == (0, False, True)


def test_a_legend_stands_above_its_chart_unless_it_is_put_elsewhere():
    assert style.legend().to_dict()["orient"] == "top" and style.legend(orient="bottom").to_dict()["orient"] == "bottom"
