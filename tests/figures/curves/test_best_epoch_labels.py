"""Where names stand: clear of lines and of each other, inside the chart."""

import pytest

from captioner.config import VARIANTS
from captioner.figures.curves.best_epoch_labels import Label, Scale, laid_out

LEARNED, WORD2VEC, FASTTEXT = VARIANTS.values()
LINEAR, LOG = Scale(2.0, 4.0, False), Scale(1.0, 4.0, True)


def label(variant, place, loss, to_the_left=True):
    return Label(variant, place, loss, "best", to_the_left)


def test_heights_and_losses_are_each_others_inverse():
    assert LINEAR.height(2.5) == 0.25 and LINEAR.loss(0.25) == 2.5
    assert LOG.height(2.0) == pytest.approx(0.5) and LOG.loss(0.5) == pytest.approx(2.0)


def test_names_of_dots_at_one_place_are_stacked_in_their_order_over_the_lines():
    dots = [label(LEARNED, 10, 2.1), label(WORD2VEC, 10, 2.12), label(FASTTEXT, 10, 2.11)]
    spots = [(1, 4.0), (7, 2.2), (10, 2.1), (10, 1.8)]
    placed = laid_out(dots, spots, 9, LINEAR)
    assert [each.variant for each in placed] == [LEARNED, FASTTEXT, WORD2VEC]
    names = [each.name_at for each in placed]
    assert names[0] > 2.2 and names[1] - names[0] == pytest.approx(names[2] - names[1]) and names[1] > names[0]


@pytest.mark.parametrize("to_the_left", [True, False])
@pytest.mark.parametrize("beyond", [1.8, 3.9])
def test_no_pole_runs_through_a_name(to_the_left, beyond):
    """Names reach to one side of their dots, and poles from the dots to the names."""
    places = (10, 12, 11) if to_the_left else (2, 1, 3)
    dots = [label(variant, place, 2.5, to_the_left) for variant, place in zip(VARIANTS.values(), places, strict=True)]
    placed = laid_out(dots, [(place, beyond) for place in places], 11, LINEAR)
    for one in placed:
        for other in placed:
            low, high = sorted((one.loss, one.name_at))
            under = other.place > one.place if to_the_left else other.place < one.place
            assert one is other or not (under and low < other.name_at < high)


@pytest.mark.parametrize(
    ("dot", "spots", "scale", "low", "high"),
    [
        (label(LEARNED, 5, 2.4, False), [(5, 2.4), (6, 3.8), (7, 2.3)], LINEAR, 0, 2.3),  # under lines high above the dot
        (label(LEARNED, 5, 2.4, False), [(4, 3.9), (5, 2.4), (6, 2.0)], LINEAR, 2.4, 3.0),  # a line on the other side
        (label(LEARNED, 10, 0.1), [(10, 0.05), (9, 1.0)], Scale(0.05, 4.0, False), 1.0, 4.0),  # no loss is below 0
    ],
)
def test_a_name_stands_on_the_nearer_side_of_the_lines_that_it_would_cover(dot, spots, scale, low, high):
    assert low < laid_out([dot], spots, 20, scale)[0].name_at < high


def test_the_scale_is_stretched_for_names_outside_it():
    stretched = LINEAR.with_room_for([-0.2, 1.1])
    assert stretched.low < LINEAR.loss(-0.2) and stretched.high > LINEAR.loss(1.1)
    plain = LINEAR.with_room_for([])
    assert 1.8 < plain.low < 2.0 and 4.0 < plain.high < 4.2
    assert Scale(0.02, 4.0, False).with_room_for([]).low == 0
    assert 0 < Scale(0.02, 4.0, True).with_room_for([]).low < 0.02
    assert laid_out([], [(1, 2.0)], 9, LINEAR) == []
