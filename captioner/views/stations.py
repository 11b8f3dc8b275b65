"""One step of decoding as HTML, station by station from the word before to the word chosen; all text is escaped.

Computing the numbers is left to `captioner.anatomy`.
"""

import html
import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from captioner.anatomy import NEVER_WRITTEN, Cell, Look, Step, largest
from captioner.config import DecoderConfig, Variant
from captioner.views.tables import row, table
from captioner.vocabulary import END, START

SHOWN = 5  # numbers of a long vector
LIKELIEST = 5
_STRONGEST_TINT = 55  # percent of the decoder's colour behind a number; more would make the number hard to read
_ENTRIES = {
    "init": "The photograph made the LSTM’s first state. At this word the decoder does not look again; it must remember.",
    "pre": "The LSTM read the photograph as if it were a first word. At this word it does not look again; it must remember.",
}


@dataclass(frozen=True)
class Scene:
    """A step and what is needed to tell of it: whose it is, what its numbers mean, and how the photograph lies on the grid."""

    variant: Variant
    config: DecoderConfig
    words: tuple[str, ...]
    steps: tuple[Step, ...]
    place: int
    rows: int
    columns: int
    photograph: str  # as a data address

    @property
    def step(self) -> Step:
        return self.steps[self.place]

    def name(self, word: int) -> str:
        return f"“{html.escape(self.words[word])}”"


def number(value: float, digits: int = 3) -> str:
    """
    >>> number(-0.12345), number(0.00001), number(12.5, 2)
    ('−0.123', '0.000', '12.50')
    """
    text = f"{value:.{digits}f}"
    return text.replace("-", "−") if float(text) else f"{0:.{digits}f}"


def share(probability: float) -> str:
    """
    >>> share(0.0617), share(0.00002)
    ('6.2%', 'under 0.1%')
    """
    return f"{probability:.1%}" if probability >= 0.001 else "under 0.1%"


def sentence(scene: Scene) -> str:
    """The sentence of this decoder, the word of this step marked."""
    words = []
    for place, step in enumerate(scene.steps):
        word = "<i>end</i>" if step.chosen == END else html.escape(scene.words[step.chosen])
        now = ' aria-current="step"' if place == scene.place else ""
        words.append(f'<li class="{"written" if place < scene.place else "to-come"}"{now}>{word}</li>')
    return f'<ol class="walk" aria-label="The sentence; the word of this step is marked">{"".join(words)}</ol>'


def stations(scene: Scene) -> str:
    bodies = [_word(scene), *_lstm(scene), _photograph(scene), *_hidden(scene), _softmax(scene), _choice(scene)]
    return "".join(
        f'<section class="station"><div><h3>{place}. {title}</h3>{text}</div><div>{numbers}</div></section>'
        for place, (title, text, numbers) in enumerate(bodies, 1)
    )


Body = tuple[str, str, str]  # title, explanation and formula, numbers


def _word(scene: Scene) -> Body:
    step = scene.step
    start = ", the mark where every sentence begins" if step.word == START else ""
    text = (
        f"<p>The word before is {scene.name(step.word)}{start}. It has the number {step.word:,} of {len(scene.words):,}. A decoder "
        f"cannot count with words, so it takes row {step.word:,} of its table: {len(step.vector):,} numbers that stand for the "
        f"word ({html.escape(scene.variant.title)}: {html.escape(scene.variant.explanation)}).</p>"
        '<p class="formula"><i>x</i> = table[<i>word</i>]</p>'
    )
    return "The word before, as a vector", text, _vector("x", step.vector)


def _vector(name: str, values: np.ndarray) -> str:
    """The first few numbers of a vector and the range of all."""
    first = "".join(f"<li>{number(value)}</li>" for value in values[:SHOWN])
    more = f"<li>and {len(values) - SHOWN:,} more</li>" if len(values) > SHOWN else ""
    return (
        f'<div class="vector"><b><i>{name}</i> =</b><ol>{first}{more}</ol></div>'
        f'<p class="range">All of them lie between {number(values.min())} and {number(values.max())}.</p>'
    )


def _lstm(scene: Scene) -> Iterator[Body]:
    """A station for each layer."""
    text = (
        "<p>The LSTM carries two vectors from word to word: what it <b>said</b> last (<i>h</i>) and what it <b>remembers</b> "
        "(<i>c</i>). Three gates, each number between 0 (shut) and 1 (open), say how much is <b>let in</b> (<i>i</i>), "
        "<b>kept</b> (<i>f</i>) and <b>let out</b> (<i>o</i>); the candidate <i>g</i> is what could be remembered anew. All four "
        "are made from <i>x</i> and <i>h</i> with trained weights.</p>"
        '<p class="formula"><i>i</i>, <i>f</i>, <i>o</i> = σ(<i>W x</i> + <i>U h</i> + <i>b</i>), '
        "<i>g</i> = tanh(<i>W x</i> + <i>U h</i> + <i>b</i>), each with weights of its own; "
        "σ(<i>z</i>) = 1 / (1 + <i>e</i><sup>−<i>z</i></sup>)<br>"
        "<i>c</i>′ = <i>f</i> · <i>c</i> + <i>i</i> · <i>g</i> and <i>h</i>′ = <i>o</i> · tanh(<i>c</i>′)</p>"
    )
    cells = scene.step.cells
    for layer, cell in enumerate(cells, 1):
        title = "The LSTM reads it" if len(cells) == 1 else f"The LSTM’s layer {layer} of {len(cells)}"
        above = f"<p>Its <i>x</i> is what layer {layer - 1} said.</p>"
        yield title, text if layer == 1 else above, _cell(cell)


def _cell(cell: Cell) -> str:
    parts = (
        ("said before, h", cell.said_before),
        ("remembered before, c", cell.memory_before),
        ("let in, i", cell.enter),
        ("kept, f", cell.keep),
        ("let out, o", cell.leave),
        ("candidate, g", cell.candidate),
        ("remembers now, c′", cell.memory),
        ("says now, h′", cell.said),
    )
    count = min(SHOWN, len(cell.said))
    head = ("", *(f"unit {place}" for place in range(1, count + 1)), f"range of all {len(cell.said):,}")
    rows = [
        row(name, *map(number, values[:count]), f"{number(values.min(), 2)} to {number(values.max(), 2)}", kind=_kind(name))
        for name, values in parts
    ]
    kept, entered = cell.keep[0] * cell.memory_before[0], cell.enter[0] * cell.candidate[0]
    by_hand = (
        f"Unit 1 by hand: keeps {number(cell.keep[0])} × ({number(cell.memory_before[0])}) = {number(kept)}, lets in "
        f"{number(cell.enter[0])} × ({number(cell.candidate[0])}) = {number(entered)}; together {number(cell.memory[0])}. It says "
        f"{number(cell.leave[0])} × tanh({number(cell.memory[0])}) = {number(cell.said[0])}."
    )
    return table("The LSTM before and after this word", head, rows, "numbers") + f'<p class="range">{by_hand}</p>'


def _kind(name: str) -> str:
    return "result" if "now" in name else ""


def _photograph(scene: Scene) -> Body:
    step = scene.step
    if step.look is not None:
        return "A look at the photograph", _attention_text(scene, step.look), _attention_numbers(scene, step.look)
    if step.added is not None:
        text = "<p>The numbers of the photograph, the same at every word, are added to what the LSTM says.</p>"
        return "The photograph is added", text + '<p class="formula"><i>h</i>′ + <i>v</i></p>', _vector("v", step.added)
    return "The photograph", f"<p>{_ENTRIES[scene.config.image_entry]}</p>", ""


def _attention_text(scene: Scene, look: Look) -> str:
    regions, heads = len(look.weights), len(look.heads)
    return (
        f"<p>From what the LSTM says now comes a <b>query</b>, {len(look.query):,} numbers. It is compared with each of the "
        f"{regions} regions; the better a region fits, the larger its weight, and all {regions} weights sum to 100%. This is done "
        f"{heads} times with {len(look.query) // heads} numbers each ({heads} heads); the grid shows the mean.</p>"
        '<p class="formula"><i>q</i> = <i>W h</i>′ + <i>b</i>; weights of a head = softmax(<i>q</i> · <i>region</i> / '
        f"√{len(look.query) // heads})<br>context = Σ weight · <i>region</i></p>"
    )


def _attention_numbers(scene: Scene, look: Look) -> str:
    line, column = largest(look.weights, scene.columns)
    even = 1 / len(look.weights)
    best = np.sort(look.weights)[::-1][:9].sum()
    told = (
        f"The highest: row {line}, column {column}: {share(look.weights.max())}. Looking everywhere alike would be {share(even)} a "
        f"region. The {min(9, len(look.weights))} strongest regions together have {share(best)}."
    )
    left, top = (column - 1) / scene.columns, (line - 1) / scene.rows
    marked = (
        f'<div class="seen"><img src="{scene.photograph}" alt="The photograph as the CNN takes it, squashed into a square; '
        f'the region in row {line}, column {column} is framed."><span style="left:{left:.2%};top:{top:.2%};'
        f'width:{1 / scene.columns:.2%};height:{1 / scene.rows:.2%}"></span></div>'
    )
    vectors = _vector("q", look.query) + _vector("context", look.context)
    return f'<div class="looks">{marked}{_grid(scene, look.weights)}</div><p class="range"><b>{told}</b></p>{vectors}'


def _grid(scene: Scene, weights: np.ndarray) -> str:
    """The weights in percent where their regions lie, tinted from the lowest to the highest, which has a frame."""
    lines = weights.reshape(scene.rows, scene.columns)
    head = "".join(f'<th scope="col">{column}</th>' for column in range(1, scene.columns + 1))
    body = "".join(
        f'<tr><th scope="row">{place}</th>{"".join(_weight(scene, value, weights) for value in line)}</tr>'
        for place, line in enumerate(lines, 1)
    )
    return (
        '<table class="grid"><caption>Attention weights in percent</caption>'
        f"<thead><tr><td></td>{head}</tr></thead><tbody>{body}</tbody></table>"
    )


def _weight(scene: Scene, value: float, weights: np.ndarray) -> str:
    tint = float(np.interp(value, (weights.min(), weights.max()), (0, _STRONGEST_TINT)))
    frame = ' class="highest"' if value == weights.max() else ""
    colour = f"color-mix(in srgb, {scene.variant.colour} {tint:.0f}%, transparent)"
    return f'<td{frame} style="background:{colour}">{value * 100:.1f}</td>'


def _hidden(scene: Scene) -> Iterator[Body]:
    hidden = scene.step.hidden
    if hidden is None:
        return
    above = int((hidden > 0).sum())
    given = "[<i>h</i>′, context]" if scene.step.look is not None else "<i>h</i>′ + <i>v</i>" if scene.step.added is not None else "<i>h</i>′"
    joined = "what was said and what was seen" if scene.config.image_entry in ("attention", "merge") else "what was said"
    text = (
        f"<p>A layer that puts together {joined}. What falls below zero is set to zero, so for each word only a part of its "
        "numbers takes part.</p>"
        f'<p class="formula"><i>z</i> = max(0, <i>W</i> {given} + <i>b</i>)</p>'
    )
    told = f'<p class="large">{above:,} of {len(hidden):,}</p><p class="range">numbers are above zero at this word.</p>'
    yield "The hidden layer", text, told + _vector("z", hidden)


def _softmax(scene: Scene) -> Body:
    step = scene.step
    best = step.likeliest(LIKELIEST)
    shifted = step.scores - step.scores.max()
    total = float(np.exp(shifted).sum())
    rows = [
        row(
            scene.words[word],
            number(step.scores[word], 2),
            number(shifted[word], 2),
            number(math.exp(shifted[word])),
            share(math.exp(step.log_probabilities[word])),
            kind="result" if word == step.chosen else "",
        )
        for word in best
    ]
    rest = total - float(np.exp(shifted[best]).sum())
    others = len(step.scores) - len(best)
    rows.append(row(f"the other {others:,} together", "", "", number(rest), share(rest / total)))
    rows.append(row("sum", "", "", number(total), "100%", kind="total"))
    text = (
        f"<p>Each of the {len(step.scores):,} words gets a score (logit). The softmax makes probabilities of them: take away the "
        "largest score (which changes nothing in the end and keeps the numbers small), raise <i>e</i> to the rest, divide by the "
        "sum over all words.</p>"
        '<p class="formula"><i>p</i> = <i>e</i><sup><i>s</i> − max</sup> / Σ <i>e</i><sup><i>s</i> − max</sup></p>'
    )
    head = ("", "score s", "s − max", "e to that", f"divided by {number(total)}")
    return "From scores to probabilities", text, table("The likeliest words and their probabilities", head, rows, "numbers")


def _choice(scene: Scene) -> Body:
    step, first = scene.step, scene.step.likeliest(1)[0]
    probability = share(math.exp(step.log_probabilities[step.chosen]))
    text = ""
    if first in NEVER_WRITTEN:
        text = f"<p>{scene.name(first)} is the likeliest, but it stands for no word that could be written, so it is passed over.</p>"
    if step.chosen == END:
        text += "<p>The likeliest is to stop: the sentence is finished.</p>"
    elif scene.place + 1 < len(scene.steps):
        text += "<p>The likeliest word is written, and is the word before at the next step. Then it all begins again.</p>"
    else:
        text += "<p>The likeliest word is written, and the sentence is as long as it may become.</p>"
    chosen = "end of the sentence" if step.chosen == END else html.escape(scene.words[step.chosen])
    return "The choice", text, f'<p class="large">{chosen}</p><p class="range">with {probability}</p>'
