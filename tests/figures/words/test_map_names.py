"""Names on a map: beside their points, inside it, and over no point, no label and no other name."""

import numpy as np
import pytest

from captioner.figures.words.map_names import ASIDE, LETTER, LINE, Name, names

EDGES, NOTHING = np.array([0, 0, 300, 200]), np.empty((0, 4))


def box(name: Name, word: str) -> tuple[float, float, float, float]:
    half = len(word) * LETTER / 2
    return name.x - half, name.y - LINE / 2, name.x + half, name.y + LINE / 2


def meet(one, other) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def test_a_name_stands_right_of_its_point_and_left_of_it_at_the_edge():
    free, edge = names(["dog", "cat"], np.array([[100.0, 50.0], [295.0, 90.0]]), NOTHING, EDGES)
    half = 3 * LETTER / 2
    assert free == Name(0, pytest.approx(100 + ASIDE + half), 50) and edge == Name(1, pytest.approx(295 - ASIDE - half), 90)


def test_the_earlier_word_gets_the_room():
    points = np.array([[100.0, 50.0], [102.0, 50.0 + LINE / 2]])
    found = names(["elephant", "elephants"], points, NOTHING, EDGES)
    assert [name.place for name in found][0] == 0


def test_no_name_stands_where_a_label_is():
    points, label = np.array([[100.0, 50.0]]), np.array([[105.0, 40, 140, 60]])
    assert names(["dog"], points, label, EDGES)[0].x < 100
    assert not names(["dog"], points, np.concatenate([label, [[60, 40, 96, 60]]]), EDGES)


def test_in_a_crowd_nothing_covers_anything():
    random = np.random.default_rng(0)
    points, words = random.uniform((0, 0), (300, 200), (250, 2)), ["a" * length for length in random.integers(2, 9, 250)]
    label = np.array([[140.0, 90, 170, 110]])
    found = names(words, points, label, EDGES)
    boxes = [box(name, words[name.place]) for name in found]
    assert 10 < len(found) < 250
    for place, one in enumerate(boxes):
        assert one[0] >= 0 and one[1] >= 0 and one[2] <= 300 and one[3] <= 200 and not meet(one, label[0])
        assert not any(meet(one, other) for other in boxes[:place])
        assert not any(one[0] < x < one[2] and one[1] < y < one[3] for x, y in points)


def test_no_words_no_names():
    assert names([], np.empty((0, 2)), NOTHING, EDGES) == []
