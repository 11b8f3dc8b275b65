"""Captions as HTML: sentences with the words that differ, and words with their probabilities. Every word is escaped."""

import html
import math
import re
from collections import Counter
from collections.abc import Sequence
from functools import reduce
from operator import and_
from typing import TYPE_CHECKING

from captioner.config import Variant
from captioner.vocabulary import END_WORD

if TYPE_CHECKING:
    from captioner.captioning.caption import Caption

_UNITS = ((1e12, " trillion"), (1e9, " billion"), (1e6, " million"), (1, ""))
_LARGEST = 1e15


def odds(log_probability: float) -> str:
    """A probability as odds with two figures.

    >>> odds(math.log(0.25)), odds(math.log(1 / 343)), odds(-16)
    ('1 in 4', '1 in 340', '1 in 8.9 million')
    """
    if -log_probability > math.log(_LARGEST):
        return "1 in more than a thousand trillion"
    chances = float(f"{math.exp(-log_probability):.2g}")
    if chances <= 1:
        return "almost certain"
    unit, name = next(pair for pair in _UNITS if chances >= pair[0])
    return f"1 in {_figures(chances / unit)}{name}"


def _figures(number: float) -> str:
    return f"{number:,.0f}" if number >= 10 or number == round(number) else f"{number:.1f}"


def percent(probability: float) -> str:
    """
    >>> percent(0.004), percent(0.256), percent(0.999)
    ('<1%', '26%', '>99%')
    """
    if 0.01 <= probability <= 0.99:
        return f"{probability:.0%}"
    return "<1%" if probability < 0.01 else ">99%"


def duration(seconds: float) -> str:
    """
    >>> duration(0.0183), duration(2.71), duration(49.6)
    ('18 ms', '2.7 s', '50 s')
    """
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"


def differing(sentences: Sequence[Sequence[str]]) -> list[list[bool]]:
    """For each word of each sentence, whether some sentence lacks it; of a repeated word only the surplus differs.

    >>> differing([["a", "dog", "runs"], ["a", "dog", "sits"]])
    [[False, False, True], [False, False, True]]
    """
    shared = reduce(and_, map(Counter, sentences))
    return [[words[: place + 1].count(word) > shared[word] for place, word in enumerate(words)] for words in sentences]


def rule(variant: Variant) -> str:
    """The decoder's line with its colour and dashes, as in every chart."""
    drawn, left_out = variant.dash
    dashes = f"{variant.colour} 0 {drawn}px, transparent {drawn}px {drawn + left_out}px"
    return f'<div class="rule" style="background:repeating-linear-gradient(90deg, {dashes})"></div>'


def heading(variant: Variant, short: bool = False) -> str:
    """The decoder's line and name, and unless `short` its explanation."""
    if short:
        return f'{rule(variant)}<h4 class="decoder">{html.escape(variant.title)}</h4>'
    return (
        f'{rule(variant)}<h2 class="decoder">{html.escape(variant.title)}</h2>'
        f'<p class="origin">{html.escape(variant.explanation)}</p>'
    )


def sentence(words: Sequence[str], marks: Sequence[bool], finished: bool = True) -> str:
    """The caption in large type; marked words are underlined and stronger."""
    pieces = [f"<u>{html.escape(word)}</u>" if mark else html.escape(word) for word, mark in zip(words, marks, strict=True)]
    return f'<p class="sentence">{" ".join(pieces) or "(no word at all)"}{"" if finished else " …"}</p>'


def continued(caption: "Caption", given: int) -> str:
    """A caption whose first words were given: those are pale, and the added ones bold."""
    first, rest = caption.words[:given], caption.words[given:]
    added = html.escape(" ".join(rest)) or "(nothing more)"
    return f'<p class="sentence small"><span>{html.escape(" ".join(first))}</span> <b>{added}</b></p>'


def runners_up(captions: Sequence["Caption"]) -> str:
    """The other captions that the search found, each with its odds."""
    rows = (f"<li>{html.escape(caption.text)} <small>{odds(caption.log_probability)}</small></li>" for caption in captions)
    return f'<ol class="more" start="2">{"".join(rows)}</ol>'


def choices(pairs: Sequence[tuple[str, float]], colour: str) -> str:
    """Words with their probabilities as bars and numbers."""
    items = "".join(f"<li><b>{written(word)}</b>{bar(probability, colour)}</li>" for word, probability in pairs)
    return f'<ol class="choices">{items}</ol>'


def bar(probability: float, colour: str) -> str:
    share = min(1.0, probability)
    return f"{strip(share, colour)}<small>{html.escape(percent(share))}</small>"


def strip(share: float, colour: str) -> str:
    """A bar without its number."""
    return f'<span class="bar"><span style="width:{share:.1%};background:{colour}"></span></span>'


def escaped(word: str) -> str:
    """A word for a label in which markdown changes nothing.

    >>> escaped("a*b"), escaped("dog")
    ('a\\\\*b', 'dog')
    """
    return re.sub(r"([^\w\s]|_)", r"\\\1", word)


def written(word: str) -> str:
    """A step's word as HTML; the end of the sentence looks different."""
    return "<i>end</i>" if word == END_WORD else html.escape(word)
