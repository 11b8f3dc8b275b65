"""The station of a step at which the photograph enters: where the decoder looked, number by number over the grid, as HTML."""

import numpy as np

from captioner.figures.decoder.decoding_step import Step, largest
from captioner.views.how_it_works.scene import Body, Scene, share, vector

_STRONGEST = 9  # regions that are summed up
_STRONGEST_TINT = 55  # percent of the decoder's colour behind a number; more would make the number hard to read
_AS_STATE = "The photograph made the LSTM’s first state. At this word the decoder does not look again; it must remember."
_AS_WORD = "The LSTM read the photograph as if it were a first word. At this word it does not look again; it must remember."


def photograph(scene: Scene) -> Body:
    step = scene.step
    if step.look is not None:
        return "A look at the photograph", _attention_text(scene, step), _attention_numbers(scene, step)
    if step.added is not None:
        text = "<p>The numbers of the photograph, the same at every word, are added to what the LSTM says.</p>"
        return "The photograph is added", text + '<p class="formula"><i>h</i>′ + <i>v</i></p>', vector("v", step.added)
    return "The photograph", f"<p>{_AS_WORD if scene.config.image_is_word else _AS_STATE}</p>", ""


def _attention_text(scene: Scene, step: Step) -> str:
    (heads, regions), numbers = step.look.weights.shape, len(step.look.query)
    if scene.config.additive:
        return _additive_text(regions, numbers, "LSTM’s first layer" if scene.config.layers > 1 else "LSTM")
    return (
        f"<p>From what the LSTM says now comes a <b>query</b>, {numbers:,} numbers. It is compared with each of the "
        f"{regions} regions; the better a region fits, the larger its weight, and all {regions} weights sum to 100%. This is "
        f"done {heads} times with {numbers // heads} numbers each ({heads} heads); the grid shows the mean.</p>"
        '<p class="formula"><i>q</i> = <i>W h</i>′ + <i>b</i>; weights of a head = softmax(<i>q</i> · <i>region</i> / '
        f"√{numbers // heads})<br>context = Σ weight · <i>region</i></p>"
    )


def _additive_text(regions: int, numbers: int, reader: str) -> str:
    return (
        f"<p>From what the {reader} said last comes a <b>query</b>, {numbers:,} numbers. Each of the {regions} regions has as "
        "many of its own, its <b>key</b>; both are added, squeezed by a hyperbolic tangent and summed with trained weights. The "
        f"better a region fits, the larger its weight, and all {regions} weights sum to 100%. This happens before the {reader} "
        "reads the word: the mixture of the regions, the <b>context</b>, enters its gates, beside the word’s vector.</p>"
        '<p class="formula"><i>q</i> = <i>W h</i> + <i>b</i>; weights = softmax(<i>w</i> · tanh(<i>K region</i> + <i>q</i>))<br>'
        "context = Σ weight · <i>region</i></p>"
    )


def _attention_numbers(scene: Scene, step: Step) -> str:
    look, weights = step.look, step.attention
    line, column = largest(weights, scene.columns)
    even = 1 / len(weights)
    best = np.sort(weights)[::-1][:_STRONGEST].sum()
    told = (
        f"The highest: row {line}, column {column}: {share(weights.max())}. Looking everywhere alike would be {share(even)} "
        f"a region. The {min(_STRONGEST, len(weights))} strongest regions together have {share(best)}."
    )
    left, top = (column - 1) / scene.columns, (line - 1) / scene.rows
    marked = (
        f'<div class="seen"><img src="{scene.photograph}" alt="The photograph as the CNN takes it, squashed into a square; '
        f'the region in row {line}, column {column} is framed."><span style="left:{left:.2%};top:{top:.2%};'
        f'width:{1 / scene.columns:.2%};height:{1 / scene.rows:.2%}"></span></div>'
    )
    vectors = vector("q", look.query) + vector("context", look.context)
    return f'<div class="looks">{marked}{_grid(scene, weights)}</div><p class="range"><b>{told}</b></p>{vectors}'


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
