"""The heat map over a photograph of one colour, where every change of a pixel is the attention's, and what is said of it."""

from io import BytesIO

import numpy as np
import pytest
from matplotlib import colormaps
from PIL import Image

from captioner.figures.caption.heatmap import focus, gradient, overlay

GREY = 100


def photograph(size=(300, 200)) -> bytes:
    file = BytesIO()
    Image.new("RGB", size, (GREY, GREY, GREY)).save(file, "JPEG", quality=95)
    return file.getvalue()


def pixels(data: bytes) -> np.ndarray:
    return np.asarray(Image.open(BytesIO(data))).astype(int)


def looked_at(row, column, size=9):
    attention = np.zeros((size, size), np.float32)
    attention[row, column] = 1.0
    return attention


def test_at_opacity_0_it_is_the_photograph_and_at_1_the_colours_alone():
    assert np.abs(pixels(overlay(photograph(), looked_at(4, 4), 0.0)) - GREY).max() <= 3
    assert Image.open(BytesIO(overlay(photograph((1100, 700)), looked_at(1, 1), 0.5, longest=400))).size == (400, 255)
    full = pixels(overlay(photograph(), looked_at(4, 4), 1.0))
    darkest, brightest = (np.array(colormaps["inferno"](value, bytes=True)[:3], int) for value in (0.0, 1.0))
    assert np.abs(full[5, 5] - darkest).max() <= 8
    assert np.abs(full[100, 150] - brightest).max() <= 30  # The middle of the one bright cell, smoothed at its sides.


@pytest.mark.parametrize(("row", "column"), [(0, 0), (0, 8), (8, 0), (8, 8), (4, 2)])
def test_the_brightest_place_is_where_it_looked(row, column):
    heat = pixels(overlay(photograph((450, 270)), looked_at(row, column), 1.0)).sum(axis=2)
    down, across = np.unravel_index(heat.argmax(), heat.shape)
    assert (down * 9 // 270, across * 9 // 450) == (row, column)


@pytest.mark.parametrize(
    ("row", "column", "expected"),
    [(0, 0, "top left"), (4, 4, "centre"), (8, 5, "bottom centre"), (3, 8, "middle right"), (2, 6, "top right")],
)
def test_the_place_is_named(row, column, expected):
    found = focus(looked_at(row, column))
    assert (found.place, found.share, found.even) == (expected, 1.0, pytest.approx(1 / 9))
    assert found.clear and f"looked most at the {expected}: 100%" in str(found)


@pytest.mark.parametrize(("more", "clear"), [(0.0, False), (0.15, False), (0.5, True)])
def test_nothing_is_claimed_of_attention_that_is_almost_even(more, clear):
    attention = np.ones((9, 9))
    attention[:3, 6:] += more
    found = focus(attention)
    assert found.clear is clear and ("looked most at the top right" in str(found)) is clear
    assert ("almost everywhere alike" in str(found)) is not clear and "alike would be 11%" in str(found)


def test_a_larger_ninth_does_not_win_by_its_size():
    """Of seven rows and columns the first ninth has three each, the others two."""
    attention = np.ones((7, 7))
    assert not focus(attention).clear
    attention[5:, 5:] += 1
    found = focus(attention)
    assert found.place == "bottom right" and (found.share, found.even) == pytest.approx((8 / 53, 4 / 49))


def test_the_legend_runs_through_the_same_colours():
    stops = gradient().removeprefix("linear-gradient(90deg, ").removesuffix(")").split(", ")
    for stop, place in ((stops[0], 0.0), (stops[-1], 1.0), (stops[len(stops) // 2], 0.5)):
        drawn = colormaps["inferno"](place, bytes=True)[:3]
        assert list(bytes.fromhex(stop[1:])) == pytest.approx(list(map(int, drawn)), abs=1)
