"""A step of decoding and what is needed to tell of it, and how its numbers, vectors and words look as HTML."""

import html
from dataclasses import dataclass

import numpy as np

from captioner.config import DecoderConfig, Variant
from captioner.figures.decoder.decoding_step import Step
from captioner.vocabulary import END

SHOWN = 5  # numbers of a long vector

Body = tuple[str, str, str]  # title, explanation and formula, numbers


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


def vector(name: str, values: np.ndarray) -> str:
    """The first few numbers of a vector and the range of all."""
    first = "".join(f"<li>{number(value)}</li>" for value in values[:SHOWN])
    more = f"<li>and {len(values) - SHOWN:,} more</li>" if len(values) > SHOWN else ""
    return (
        f'<div class="vector"><b><i>{name}</i> =</b><ol>{first}{more}</ol></div>'
        f'<p class="range">All of them lie between {number(values.min())} and {number(values.max())}.</p>'
    )
