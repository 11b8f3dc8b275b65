"""One step told in words: the numbers on the page are those of the step, for every way the photograph can enter."""

import html
import math
import re

import numpy as np
import pytest

from captioner.captioning.numpy_decoder import NumpyDecoder
from captioner.config import find_variant
from captioner.figures.decoder.decoding_step import greedy_steps
from captioner.views.how_it_works import scene as scenes
from captioner.views.how_it_works import stations
from captioner.vocabulary import END, UNKNOWN
from support.fakes import OLDER, SMALL_VOCABULARY, StubEncoder, small_checkpoint

THIRD = {
    "attention": "A look at the photograph",
    "merge": "The photograph is added",
    "init": "The photograph",
    "pre": "The photograph",
}  # by the way the photograph enters
ENTRIES = [{"image_entry": entry} for entry in THIRD] + OLDER
ATTENTIVE = [shape for shape in ENTRIES if shape["image_entry"] == "attention"]
ADDITIVE = [shape for shape in ATTENTIVE if shape.get("attention") == "additive"]
SQUASH = {"tanh": np.tanh, "ReLU": lambda values: np.maximum(values, 0)}
FEATURES = np.random.default_rng(7).normal(size=(StubEncoder.regions, StubEncoder.channels)).astype(np.float32)


def named(shape):
    return "-".join(map(str, shape.values()))


def scene(place=1, change=None, **shape) -> scenes.Scene:
    checkpoint = small_checkpoint(**shape)
    if change:
        change(checkpoint.weights)
    steps = greedy_steps(NumpyDecoder.of(checkpoint), FEATURES, 6)
    variant, config = find_variant("fasttext"), checkpoint.preset.decoder
    return scenes.Scene(variant, config, SMALL_VOCABULARY.words, steps, place, 3, 3, "data:image/jpeg;base64,AAAA")


def never_end(weights):
    weights["words/bias"][END] = -60


def plain(page: str) -> str:
    return html.unescape(re.sub("<.*?>", "", page))


def titles(page: str) -> list[str]:
    return re.findall(r"<h3>\d\. (.*?)</h3>", page)


def station(page: str, title: str) -> str:
    return next(part for part in page.split("<section") if re.search(rf"<h3>\d\. {title}</h3>", part))


def taken(shape) -> tuple[scenes.Scene, dict[str, np.ndarray]]:
    """A step of a decoder of that shape, and the decoder's weights."""
    weights = {}

    def take(found):
        never_end(found)
        weights.update({name: value.astype(float) for name, value in found.items()})

    return scene(change=take, **shape), weights


@pytest.mark.parametrize("shape", ENTRIES, ids=named)
def test_every_station_is_there_in_the_order_in_which_it_is_calculated(shape):
    page, image_entry = stations.stations(scene(change=never_end, **shape)), shape["image_entry"]
    seen = [THIRD[image_entry]]
    read = ["The LSTM reads word and context" if shape in ADDITIVE else "The LSTM reads it"]
    read = ["The LSTM’s layer 1 of 2", "The LSTM’s layer 2 of 2"] if shape.get("layers") == 2 else read
    middle = seen + read if shape in ADDITIVE else read + seen
    rest = ["The hidden layer", "From scores to probabilities", "The choice"]
    assert titles(page) == ["The word before, as a vector", *middle, *rest]
    assert ("Attention weights in percent" in page) == (image_entry == "attention")


@pytest.mark.parametrize("shape", ENTRIES, ids=named)
def test_the_gates_are_what_their_printed_formula_says(shape):
    """Term by term from the weights; what is printed for the first layer holds for the others, but for the context."""
    shown, weights = taken(shape)
    page, inputs = stations.stations(shown), shown.step.vector
    text = plain(page)
    terms = re.search(r"i, f, o = σ\((.*?)\)", text)[1].split(" + ")
    squash, same = re.search(r"g = (\w+)\((W x.*?)\), each with weights of its own", text).groups()
    assert same.split(" + ") == terms and f"h′ = o · {squash}(c′)" in text
    assert squash == ("ReLU" if shape.get("activation") == "relu" else "tanh")
    for layer, cell in enumerate(shown.step.cells):
        name = f"lstm{layer}"
        parts = {"W x": inputs @ weights[f"{name}/kernel"], "b": weights[f"{name}/bias"]}
        parts["U h"] = shown.step.before[2 * layer] @ weights[f"{name}/recurrent_kernel"]
        if shape in ADDITIVE:
            parts["C context"] = shown.step.look.context @ weights["context/kernel"] * (layer == 0)
        *gates, candidate = np.split(sum(parts[term] for term in terms), 4)
        table = rows(page, layer)
        for row, gate in zip(("input gate, i", "forget gate, f", "output gate, o"), gates, strict=True):
            np.testing.assert_allclose(table[row], 1 / (1 + np.exp(-gate[: scenes.SHOWN])), atol=6e-4)
        np.testing.assert_allclose(table["candidate, g"], SQUASH[squash](candidate[: scenes.SHOWN]), atol=6e-4)
        inputs = cell.output


def rows(page: str, layer: int) -> dict[str, list[float]]:
    """What the table of an LSTM layer shows of each vector."""
    tables = [part for part in page.split("<section") if "The LSTM before and after this word" in part]
    found = re.findall(r'<th scope="row">(.*?)</th>((?:<td>[^<]*</td>)+)', tables[layer])
    return {name: [float(cell.replace("−", "-")) for cell in re.findall("<td>(.*?)</td>", cells)[:-1]] for name, cells in found}


@pytest.mark.parametrize("shape", ENTRIES, ids=named)
def test_only_additive_attention_brings_a_context_into_the_first_layer(shape):
    layers = stations._lstm(scene(change=never_end, **shape))
    first, *above = (plain(text) for _, text, _ in layers)
    assert first.count("C context") == 2 * (shape in ADDITIVE)
    assert ("what was just seen, the context" in first) == (shape in ADDITIVE)
    for text in above:
        assert text == "Its x is what layer 1 said" + ("; the context enters layer 1 alone" if shape in ADDITIVE else "") + "."


@pytest.mark.parametrize("shape", ADDITIVE, ids=named)
def test_additive_attention_is_what_its_printed_formula_says(shape):
    """The percentages on the page by hand: W h + b, softmax(w · tanh(K region + q)), the sum of weight · region."""
    shown, weights = taken(shape)
    page = station(stations.stations(shown), "A look at the photograph")
    text, reader = plain(page), "LSTM’s first layer" if shape.get("layers") == 2 else "LSTM"
    assert f"From what the {reader} said last comes a query, 8 numbers. Each of the 9 regions has as many" in text
    assert f"This happens before the {reader} reads the word" in text and "heads" not in text
    assert "q = W h + b; weights = softmax(w · tanh(K region + q))context = Σ weight · region" in text
    regions = np.maximum(FEATURES @ weights["image/kernel"] + weights["image/bias"], 0)
    query = shown.step.before[0] @ weights["query/kernel"] + weights["query/bias"]
    fits = [np.tanh(region @ weights["keys/kernel"] + query) @ weights["energy/kernel"][:, 0] for region in regions]
    shares = np.exp(fits) / np.exp(fits).sum()
    cells = [float(cell) for cell in re.findall(r'style="background:.*?">([\d.]+)</td>', page)]
    np.testing.assert_allclose(cells, shares * 100, atol=0.051)
    context = sum(share * region for share, region in zip(shares, regions, strict=True))
    assert f"context ={''.join(scenes.number(value) for value in context[: scenes.SHOWN])}and 3 more" in text


def test_relu_is_told_with_its_formula_and_worked_by_hand():
    shown = scene(change=never_end, layers=2, activation="relu")
    text, cells = plain(stations.stations(shown)), [plain(numbers) for _, _, numbers in stations._lstm(shown)]
    assert "ReLU(z) = max(0, z)" in text and "tanh(" not in text
    assert "ReLU(z)" not in plain(stations.stations(scene(change=never_end)))
    for cell, told in zip(shown.step.cells, cells, strict=True):
        leave, memory, said = (scenes.number(value[0]) for value in (cell.output_gate, cell.memory, cell.output))
        assert f"It says {leave} × ReLU({memory}) = {said}." in told
        assert float(said.replace("−", "-")) == pytest.approx(cell.output_gate[0] * max(0, cell.memory[0]), abs=6e-4)


def test_layers_have_stations_of_their_own_and_a_hidden_layer_may_be_missing():
    page = stations.stations(scene(layers=2, hidden_units=0, change=never_end))
    assert "The LSTM’s layer 1 of 2" in titles(page) and "The LSTM’s layer 2 of 2" in titles(page)
    assert "The hidden layer" not in titles(page)


@pytest.mark.parametrize("shape", ATTENTIVE, ids=named)
def test_the_numbers_are_those_of_the_step(shape):
    shown = scene(change=never_end, **shape)
    step, page = shown.step, plain(stations.stations(shown))
    assert f"The word before is “{SMALL_VOCABULARY.words[step.word]}”" in page
    for vector in (step.vector, step.look.query, step.look.context, step.hidden):
        assert f"lie between {scenes.number(vector.min())} and {scenes.number(vector.max())}" in page
    row, column = divmod(int(step.attention.argmax()), 3)
    assert f"row {row + 1}, column {column + 1}: {scenes.share(step.attention.max())}" in page
    assert f"{(step.hidden > 0).sum()} of {len(step.hidden)}numbers are above zero" in page
    cell, squash = step.cells[0], "ReLU" if shape.get("activation") == "relu" else "tanh"
    assert f"together {scenes.number(cell.memory[0])}. It says {scenes.number(cell.output_gate[0])} × {squash}(" in page


def test_the_grid_has_every_weight_and_frames_the_highest():
    shown = scene(change=never_end)
    weights = shown.step.attention
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
