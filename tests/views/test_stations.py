"""One step told in words: the numbers on the page are those of the step, for every way the photograph can enter."""

import html
import math
import re

import numpy as np
import pytest
from standins import SMALL_VOCABULARY, StubEncoder, small_checkpoint

from captioner.config import find_variant
from captioner.figures.anatomy import Anatomy
from captioner.views import scene as scenes
from captioner.views import stations
from captioner.vocabulary import END, UNKNOWN

THIRD = {
    "attention": "A look at the photograph",
    "merge": "The photograph is added",
    "init": "The photograph",
    "pre": "The photograph",
}  # by the way the photograph enters


def scene(place=1, change=None, **shape) -> scenes.Scene:
    checkpoint = small_checkpoint(**shape)
    if change:
        change(checkpoint.weights)
    features = np.random.default_rng(7).normal(size=(StubEncoder.regions, StubEncoder.channels)).astype(np.float32)
    steps = Anatomy(checkpoint, features).caption(6)
    variant, config = find_variant("fasttext"), checkpoint.preset.decoder
    return scenes.Scene(variant, config, SMALL_VOCABULARY.words, steps, place, 3, 3, "data:image/jpeg;base64,AAAA")


def never_end(weights):
    weights["words/bias"][END] = -60


def plain(page: str) -> str:
    return html.unescape(re.sub("<.*?>", "", page))


def titles(page: str) -> list[str]:
    return re.findall(r"<h3>\d\. (.*?)</h3>", page)


@pytest.mark.parametrize("image_entry", THIRD)
def test_every_station_is_there(image_entry):
    page = stations.stations(scene(image_entry=image_entry, change=never_end))
    first = ["The word before, as a vector", "The LSTM reads it", THIRD[image_entry], "The hidden layer"]
    assert titles(page) == [*first, "From scores to probabilities", "The choice"]
    assert ("Attention weights in percent" in page) == (image_entry == "attention")


def test_layers_have_stations_of_their_own_and_a_hidden_layer_may_be_missing():
    page = stations.stations(scene(layers=2, hidden_units=0, change=never_end))
    assert "The LSTM’s layer 1 of 2" in titles(page) and "The LSTM’s layer 2 of 2" in titles(page)
    assert "The hidden layer" not in titles(page)


def test_the_numbers_are_those_of_the_step():
    shown = scene(change=never_end)
    step, page = shown.step, plain(stations.stations(shown))
    assert f"The word before is “{SMALL_VOCABULARY.words[step.word]}”" in page
    for vector in (step.vector, step.look.query, step.look.context, step.hidden):
        assert f"lie between {scenes.number(vector.min())} and {scenes.number(vector.max())}" in page
    row, column = divmod(int(step.look.weights.argmax()), 3)
    assert f"row {row + 1}, column {column + 1}: {scenes.share(step.look.weights.max())}" in page
    assert f"{(step.hidden > 0).sum()} of {len(step.hidden)}numbers are above zero" in page
    cell = step.cells[0]
    assert f"together {scenes.number(cell.memory[0])}. It says {scenes.number(cell.leave[0])} × tanh" in page


def test_the_grid_has_every_weight_and_frames_the_highest():
    shown = scene(change=never_end)
    weights = shown.step.look.weights
    cells = re.findall(r"<td( class=\"highest\")? style=\"background:.*?\">([\d.]+)</td>", stations.stations(shown))
    assert [text for _, text in cells] == [f"{weight * 100:.1f}" for weight in weights]
    assert [place for place, (frame, _) in enumerate(cells) if frame] == [int(weights.argmax())]


def test_the_softmax_adds_up_on_the_page():
    shown = scene(change=never_end)
    found = re.findall(r'<th scope="row">([^<]*)</th>((?:<td>[^<]*</td>){4})', stations._softmax(shown)[2])
    rows = {name: re.findall("<td>(.*?)</td>", cells) for name, cells in found}
    *words, others, total = rows
    assert others == f"the other {len(SMALL_VOCABULARY) - 5} together" and total == "sum"
    assert float(rows[total][2]) == pytest.approx(sum(float(rows[name][2]) for name in (*words, others)), abs=0.005)
    for name in map(html.unescape, words):
        score, _, power, probability = rows[html.escape(name)]
        word = SMALL_VOCABULARY.id(name)
        assert score == scenes.number(shown.step.scores[word], 2)
        assert probability == scenes.share(math.exp(shown.step.log_probabilities[word]))
        assert float(power) / float(rows[total][2]) == pytest.approx(math.exp(shown.step.log_probabilities[word]), abs=0.002)


def test_the_choice_at_the_start_at_the_end_and_at_the_longest():
    assert "where every sentence begins" in stations.stations(scene(0, never_end))
    assert "at the next step" in stations.stations(scene(0, never_end))
    assert "as long as it may become" in stations.stations(scene(5, never_end))

    def stop(weights):
        weights["words/bias"][END] = 60

    page = stations.stations(scene(0, stop))
    assert "the sentence is finished" in page and "end of the sentence" in page

    def be_unsure(weights):
        weights["words/bias"][UNKNOWN] = 60

    assert "“&lt;unk&gt;” is the likeliest, but" in stations.stations(scene(0, be_unsure))


def test_the_sentence_marks_the_word_of_this_step():
    shown = scene(2, never_end)
    words = re.findall(r'<li class="([\w-]+)"( aria-current="step")?>(.*?)</li>', scenes.sentence(shown))
    assert [word for *_, word in words] == [SMALL_VOCABULARY.words[step.chosen] for step in shown.steps]
    assert [place for place, (_, now, _) in enumerate(words) if now] == [2]
    assert [kind for kind, *_ in words] == ["written"] * 2 + ["to-come"] * 4


def test_numbers_as_text():
    assert scenes.number(-0.0004) == "0.000" and scenes.number(-1.25, 1) == "−1.2"
    assert scenes.share(0.0617) == "6.2%" and scenes.share(1e-6) == "under 0.1%"
