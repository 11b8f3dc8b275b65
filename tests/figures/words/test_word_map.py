"""The word map as a chart: rows, labels, looks, the names of further words, and the text alternative."""

import re

import numpy as np
import pytest

from captioner.figures.words.word_map import (
    ASIDE,
    LETTER,
    LINE,
    LOOKS,
    Name,
    map_chart,
    map_rows,
    map_summary,
    map_table,
    place_names,
)
from embeddings.kinds import KINDS
from embeddings.maps import WordMap

EDGES, NOTHING = np.array([0, 0, 300, 200]), np.empty((0, 4))
WORDS = ("dog", "puppy", "red", "man", "runs", "the")
POSITIONS = np.array([[0, 0], [1, 0], [0, 5], [-4, 0], [0, -3], [2, 2]], float)
DRAWN = WordMap(WORDS, POSITIONS, (0.25, 0.125))
NEAR = [("man", 0.9), ("wolf", 0.8), ("red", 0.7)]


def test_rows_know_the_chosen_word_and_the_places_of_its_neighbours():
    rows = map_rows(DRAWN, "dog", NEAR).set_index("word")
    assert rows.place.dropna().to_dict() == {"dog": 0, "man": 1, "red": 3}
    assert rows.kind.to_dict() == {
        "dog": "animals", "puppy": "animals", "red": "colours", "man": "people", "runs": "actions", "the": "function words",
    }  # fmt: skip
    assert rows.loc["red", ["x", "y"]].tolist() == [0, 5]


def texts(spec: dict, size: int) -> dict[str, tuple[float, float]]:
    layer = next(layer for layer in spec["layer"] if layer["mark"].get("fontSize") == size)
    return {row["label"]: (row["x"], row["y"]) for row in spec["datasets"][layer["data"]["name"]]}


def labels(spec: dict) -> dict[str, tuple[float, float]]:
    return texts(spec, 14)


def test_the_chart_writes_the_word_and_the_places_apart_from_each_other():
    spec = map_chart(WordMap(WORDS, POSITIONS / 1000, None), "dog", NEAR).to_dict()
    assert set(labels(spec)) == {"dog", "1", "3"}
    crowded = WordMap(WORDS, np.vstack([POSITIONS[:5] / 1000, [[9, 9]]]), None)
    spots = np.array(list(labels(map_chart(crowded, "dog", NEAR).to_dict()).values()))
    gaps = np.linalg.norm(spots[:, None] - spots, axis=-1)[np.triu_indices(3, 1)]
    assert gaps.min() > 0.25  # The points lie 0.005 apart, on a map that reaches over 9.


def test_further_words_are_named_beside_their_points_and_marked_ones_are_not_named_twice():
    spec = map_chart(DRAWN, "dog", NEAR).to_dict()
    written = texts(spec, 11)
    assert set(written) == {"puppy", "runs", "the"}
    for word, (x, y) in written.items():
        point = POSITIONS[WORDS.index(word)]
        assert y == pytest.approx(point[1]) and 0 < abs(x - point[0]) < 1.5


def test_axes_have_one_scale_and_say_what_they_explain():
    layers = map_chart(DRAWN, "dog", NEAR).to_dict()["layer"]
    for layer in layers:
        x, y = layer["encoding"]["x"], layer["encoding"]["y"]
        widths = {round(high - low, 6) for low, high in (x["scale"]["domain"], y["scale"]["domain"])}
        assert len(widths) == 1 and widths.pop() > 8
        assert (x["title"], y["title"]) == ("first direction, 25%", "second direction, 12%")
    without = map_chart(WordMap(WORDS, POSITIONS, None), "dog", []).to_dict()["layer"][0]
    assert without["encoding"]["x"]["title"] is None


def test_a_chart_without_a_chosen_word_or_of_one_point_is_drawn():
    assert not labels(map_chart(DRAWN, "", []).to_dict())
    assert map_chart(WordMap(("dog",), np.zeros((1, 2)), None), "dog", []).to_dict()["layer"]


def test_every_kind_has_its_own_colour_and_shape():
    assert list(LOOKS) == list(KINDS)
    assert len({look.colour for look in LOOKS.values()}) == len({look.path for look in LOOKS.values()}) == len(KINDS)
    for look in LOOKS.values():
        assert np.abs(look.outline).max() <= 1
        assert look.polygon.count("%") == 2 * len(look.outline) and re.fullmatch(r"M[-\d.,L]+Z", look.path)


def test_the_map_in_words():
    told = map_summary("Learned, PCA", DRAWN, "dog", NEAR)
    assert "6 words" in told and "on the map: puppy, the, runs, man, red." in told and told.endswith("vectors: man, red.")
    assert "'wolf' is not among them" in map_summary("Learned", DRAWN, "wolf", [])
    assert map_summary("Learned", DRAWN, "dog", NEAR[1:2]).endswith("no word of this map.")


def test_the_table_behind_the_maps():
    table = map_table({"A": DRAWN, "B": WordMap(("dog", "cat"), np.ones((2, 2)), None)})
    assert list(table) == ["kind", "A, x", "A, y", "B, x", "B, y"]
    assert table.loc["cat", "kind"] == "animals" and table.loc["dog", "B, y"] == 1 and np.isnan(table.loc["cat", "A, x"])
    assert table.loc["man", "A, x"] == pytest.approx(-4)


def box(name: Name, word: str) -> tuple[float, float, float, float]:
    half = len(word) * LETTER / 2
    return name.x - half, name.y - LINE / 2, name.x + half, name.y + LINE / 2


def meet(one, other) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def test_a_name_stands_right_of_its_point_and_left_of_it_at_the_edge():
    free, edge = place_names(["dog", "cat"], np.array([[100.0, 50.0], [295.0, 90.0]]), NOTHING, EDGES)
    half = 3 * LETTER / 2
    assert free == Name(0, pytest.approx(100 + ASIDE + half), 50) and edge == Name(1, pytest.approx(295 - ASIDE - half), 90)


def test_the_earlier_word_gets_the_room_and_no_name_stands_where_a_label_is():
    close = np.array([[100.0, 50.0], [102.0, 50.0 + LINE / 2]])
    assert place_names(["elephant", "elephants"], close, NOTHING, EDGES)[0].place == 0
    points, label = np.array([[100.0, 50.0]]), np.array([[105.0, 40, 140, 60]])
    assert place_names(["dog"], points, label, EDGES)[0].x < 100
    assert not place_names(["dog"], points, np.concatenate([label, [[60, 40, 96, 60]]]), EDGES)


def test_in_a_crowd_nothing_covers_anything():
    random = np.random.default_rng(0)
    points, words = random.uniform((0, 0), (300, 200), (250, 2)), ["a" * length for length in random.integers(2, 9, 250)]
    label = np.array([[140.0, 90, 170, 110]])
    found = place_names(words, points, label, EDGES)
    boxes = [box(name, words[name.place]) for name in found]
    assert 10 < len(found) < 250
    for place, one in enumerate(boxes):
        assert one[0] >= 0 and one[1] >= 0 and one[2] <= 300 and one[3] <= 200 and not meet(one, label[0])
        assert not any(meet(one, other) for other in boxes[:place])
        assert not any(one[0] < x < one[2] and one[1] < y < one[3] for x, y in points)
