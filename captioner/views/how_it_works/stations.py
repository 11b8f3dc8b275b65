"""One step of decoding as HTML, station by station from the word before to the word chosen; all text is escaped.

Computing the numbers is left to `captioner.figures.decoder.decoding_step`, the look at the photograph to `looking`.
"""

import html
import math
from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from captioner.captioning.beam_search import FORBIDDEN
from captioner.captioning.numpy_layers import LstmValues
from captioner.figures.decoder.decoding_step import Step
from captioner.views.how_it_works.looking import photograph
from captioner.views.how_it_works.scene import SHOWN, Body, Scene, number, share, vector
from captioner.views.html_tables import row, table
from captioner.vocabulary import END, START

_LIKELIEST = 5
_SQUASH = {"tanh": "tanh", "relu": "ReLU"}


def stations(scene: Scene) -> str:
    read, seen = [*_lstm(scene)], [photograph(scene)]
    # Additive attention looks before the LSTM reads the word.
    both = seen + read if scene.config.additive else read + seen
    bodies = [_word(scene), *both, *_hidden(scene), _softmax(scene), _choice(scene)]
    return "".join(
        f'<section class="station"><div><h3>{place}. {title}</h3>{text}</div><div>{numbers}</div></section>'
        for place, (title, text, numbers) in enumerate(bodies, 1)
    )


def _word(scene: Scene) -> Body:
    step = scene.step
    start = ", the mark where every sentence begins" if step.word == START else ""
    text = (
        f"<p>The word before is {scene.name(step.word)}{start}. It has the number {step.word:,} of {len(scene.words):,}. "
        f"A decoder cannot calculate with words, so it takes row {step.word:,} of its table: "
        f"{len(step.vector):,} numbers that stand for the word "
        f"({html.escape(scene.variant.title)}: {html.escape(scene.variant.explanation)}).</p>"
        '<p class="formula"><i>x</i> = table[<i>word</i>]</p>'
    )
    return "The word before, as a vector", text, vector("x", step.vector)


def _lstm(scene: Scene) -> Iterator[Body]:
    """A station for each layer."""
    additive, squash = scene.config.additive, _SQUASH[scene.config.activation]
    cells = scene.step.cells
    alone = "The LSTM reads word and context" if additive else "The LSTM reads it"
    for layer in range(1, len(cells) + 1):
        title = alone if len(cells) == 1 else f"The LSTM’s layer {layer} of {len(cells)}"
        above = f"<p>Its <i>x</i> is what layer {layer - 1} said{'; the context enters layer 1 alone' * additive}.</p>"
        yield title, _lstm_text(additive, squash) if layer == 1 else above, _cell(scene.step, layer - 1, squash)


def _lstm_text(additive: bool, squash: str) -> str:
    """What every layer does; with additive attention the first one takes the context in besides."""
    made_from = "<i>x</i>, <i>h</i> and what was just seen, the <i>context</i>," if additive else "<i>x</i> and <i>h</i>"
    total = f"<i>W x</i> + <i>U h</i> + {'<i>C context</i> + ' * additive}<i>b</i>"
    bent = "; ReLU(<i>z</i>) = max(0, <i>z</i>)" if squash == "ReLU" else ""
    return (
        "<p>The LSTM carries two vectors from word to word: what it <b>said</b> last (<i>h</i>) and what it <b>remembers</b> "
        "(<i>c</i>). Three gates, each number between 0 (shut) and 1 (open), say how much is <b>let in</b> (<i>i</i>), "
        "<b>kept</b> (<i>f</i>) and <b>let out</b> (<i>o</i>); the candidate <i>g</i> is what could be remembered anew. All four "
        f"are made from {made_from} with trained weights.</p>"
        f'<p class="formula"><i>i</i>, <i>f</i>, <i>o</i> = σ({total}), <i>g</i> = {squash}({total}), each with weights of its '
        f"own; σ(<i>z</i>) = 1 / (1 + <i>e</i><sup>−<i>z</i></sup>){bent}<br>"
        f"<i>c</i>′ = <i>f</i> · <i>c</i> + <i>i</i> · <i>g</i> and <i>h</i>′ = <i>o</i> · {squash}(<i>c</i>′)</p>"
    )


def _cell(step: Step, layer: int, squash: str) -> str:
    cell, (output, memory) = step.cells[layer], step.before[2 * layer : 2 * layer + 2]
    parts = (
        ("said before, h", output),
        ("remembered before, c", memory),
        ("input gate, i", cell.input_gate),
        ("forget gate, f", cell.forget_gate),
        ("output gate, o", cell.output_gate),
        ("candidate, g", cell.candidate),
        ("remembers now, c′", cell.memory),
        ("says now, h′", cell.output),
    )
    count = min(SHOWN, len(output))
    head = ("What", *(f"unit {place}" for place in range(1, count + 1)), f"range of all {len(output):,}")
    rows = [
        row(name, *map(number, values[:count]), f"{number(values.min(), 2)} to {number(values.max(), 2)}", style=_style(name))
        for name, values in parts
    ]
    return _table(head, rows, "The LSTM before and after this word") + f'<p class="range">{_by_hand(cell, memory[0], squash)}</p>'


def _by_hand(cell: LstmValues, before: float, squash: str) -> str:
    """The first unit's arithmetic."""
    keep, enter, leave = cell.forget_gate[0], cell.input_gate[0], cell.output_gate[0]
    kept, entered, memory = keep * before, enter * cell.candidate[0], cell.memory[0]
    return (
        f"Unit 1 by hand: keeps {number(keep)} × {_factor(before)} = {number(kept)}, lets in "
        f"{number(enter)} × {_factor(cell.candidate[0])} = {number(entered)}; together {number(memory)}. It says "
        f"{number(leave)} × {squash}({number(memory)}) = {number(cell.output[0])}."
    )


def _table(headings: Sequence[str], rows: Iterable[str], label: str) -> str:
    return table(headings, rows, label, "figures numbers", captioned=False)


def _factor(value: float) -> str:
    return number(value) if value >= 0 else f"({number(value)})"


def _style(name: str) -> str:
    return "result" if "now" in name else ""


def _hidden(scene: Scene) -> Iterator[Body]:
    hidden = scene.step.hidden
    if hidden is None:
        return
    above = int((hidden > 0).sum())
    attends, adds = scene.config.attends, scene.config.adds_image
    given = "[<i>h</i>′, context]" if attends else "(<i>h</i>′ + <i>v</i>)" if adds else "<i>h</i>′"
    joined = "what was said and what was seen" if attends or adds else "what was said"
    text = (
        f"<p>A layer that puts together {joined}. What falls below zero is set to zero, so for each word only a part of its "
        "numbers takes part.</p>"
        f'<p class="formula"><i>z</i> = max(0, <i>W</i> {given} + <i>b</i>)</p>'
    )
    told = f'<p class="large">{above:,} of {len(hidden):,}</p><p class="range">numbers are above zero at this word.</p>'
    yield "The hidden layer", text, told + vector("z", hidden)


def _softmax(scene: Scene) -> Body:
    step = scene.step
    best = [word for word in step.likeliest(_LIKELIEST) if word < len(step.scores)]
    shifted = step.scores - step.scores.max()
    total = float(np.exp(shifted).sum())
    rows = [
        row(
            html.escape(scene.words[word]),
            number(step.scores[word], 2),
            number(shifted[word], 2),
            number(math.exp(shifted[word])),
            share(math.exp(shifted[word]) / total),
            style="result" if word == step.chosen else "",
        )
        for word in best
    ]
    rest = total - float(np.exp(shifted[best]).sum())
    others = len(step.scores) - len(best)
    rows.append(row(f"the other {others:,} together", "", "", number(rest), share(rest / total)))
    rows.append(row("sum", "", "", number(total), "100%", style="total"))
    text = (
        f"<p>Each of the {len(step.scores):,} words gets a score (logit). The softmax makes probabilities of them: take away the "
        "largest score (which changes nothing in the end and keeps the numbers small), raise <i>e</i> to the rest, divide by the "
        "sum over all words.</p>"
        '<p class="formula"><i>p</i> = <i>e</i><sup><i>s</i> − max</sup> / Σ <i>e</i><sup><i>s</i> − max</sup></p>'
    )
    if step.copied is not None:
        pairs = zip(scene.words[len(step.scores) :], step.copied, strict=False)
        listed = ", ".join(f"{html.escape(word)} {share(probability)}" for word, probability in pairs)
        text += f"<p>Or the word is copied from the nouns that the CNN recognises: {listed or 'none here'}.</p>"
    head = ("Word", "score s", "s − max", "e to that", f"divided by {number(total)}")
    return "From scores to probabilities", text, _table(head, rows, "The likeliest words and their probabilities")


def _choice(scene: Scene) -> Body:
    step, first = scene.step, scene.step.likeliest(1)[0]
    probability = share(math.exp(step.log_probabilities[step.chosen]))
    text = ""
    if first in FORBIDDEN:
        text = f"<p>{scene.name(first)} is the likeliest, but it stands for no word that can be written: it is passed over.</p>"
    if step.chosen == END:
        text += "<p>The likeliest is to stop: the sentence is finished.</p>"
    elif scene.place + 1 < len(scene.steps):
        text += "<p>The likeliest word is written, and is the word before at the next step. Then it all begins again.</p>"
    else:
        text += "<p>The likeliest word is written, and the sentence is as long as it may become.</p>"
    chosen = "end of the sentence" if step.chosen == END else html.escape(scene.words[step.chosen])
    return "The choice", text, f'<p class="large">{chosen}</p><p class="range">with {probability}</p>'
