"""The last page: how it works. The figure of the loaded decoders, one step of decoding number by number, and the limits."""

import base64
import html
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

import streamlit as st
from PIL import Image

from captioner.captioning.search_settings import load_search_config
from captioner.config import VARIANTS, Variant
from captioner.data.samples import SAMPLES
from captioner.errors import TriptychError
from captioner.figures.decoder.architecture import Architecture, read_architecture
from captioner.figures.decoder.decoding_step import Step, greedy_steps
from captioner.figures.decoder.diagram import LAYOUTS, draw
from captioner.figures.decoder.differences import Property, compare, difference
from captioner.figures.limits import LIMITS
from captioner.model.checkpoints import load_all
from captioner.model.stage_folders import picture_size
from captioner.views import photographs, stages
from captioner.views.how_it_works import layer_tables
from captioner.views.how_it_works.scene import Scene, sentence
from captioner.views.how_it_works.stations import stations
from captioner.views.photographs import Photograph
from captioner.views.resources import Stamp, kept, open_page, refusals, refuse, stamp
from captioner.views.results import Results

if TYPE_CHECKING:
    pass

_HEIGHT_OF_A_STEP = 600
_KEPT = 12  # photographs
_YOURS = "Yours"
_INTRODUCTION = (
    "One network looks at the photograph once. Three decoders each write a sentence about what it saw, word by word."
)
_FIGURE = (
    "Every box shows the shape of what comes out of it and how many parameters it has: numbers that were found by "
    "training, or that stayed as they were (**frozen**, shaded). The line that runs back up on the right is the word just "
    "chosen: it is the next input, so the decoder goes round once for every word."
)
_STEP = (
    "Choose a photograph, a decoder and a step, and follow the real numbers from the word before to the next word. "
    "At each step the likeliest word is taken."
)


def show() -> None:
    open_page("How it works", "how_it_works/how_it_works.css")
    folder = stages.choose()
    st.markdown(f"{_INTRODUCTION} {difference(folder)}")
    try:
        architecture, comparison = _read(stamp(folder), folder)
    except TriptychError as error:
        refuse(error)
        _show_limits()
        return
    variants = [column.variant for column in architecture.columns]
    _show_figure(architecture)
    live = st.container(key="live")  # Filled last: the decoders may still be loading, all else is there at once.
    _show_search(folder)
    _show_comparison(variants, comparison)
    _show_limits()
    with live:
        _show_step(folder, variants)


@st.cache_resource(max_entries=2, show_spinner=False)
def _read(_stamp: Stamp, folder: Path) -> tuple[Architecture, tuple[Property, ...]]:
    checkpoints = load_all(folder)
    return read_architecture(checkpoints), compare(checkpoints)


def _show_figure(architecture: Architecture) -> None:
    st.header("From a photograph to the next word", anchor=False)
    st.markdown(_FIGURE)
    # Markdown lets a drawing through, which st.html does not; all that is in it is ours and escaped.
    drawn = "".join(draw(architecture, layout) for layout in LAYOUTS)
    st.markdown(f'<div class="architecture">{drawn}</div>', unsafe_allow_html=True)
    with st.expander("The same as a table, with how the parameters add up"):
        st.html(layer_tables.layers(architecture))


def _show_step(folder: Path, variants: list[Variant]) -> None:
    st.header("One step, number by number", anchor=False)
    st.markdown(_STEP)
    with refusals():
        with st.container(horizontal=True, key="choices"):
            photograph = _choose_photograph(picture_size(folder))
            name = _choose("Decoder", [variant.title for variant in variants], "decoder")
        variant = next(variant for variant in variants if variant.title == name)
        with st.skeleton(height=_HEIGHT_OF_A_STEP):
            results = Results(folder, photograph)
            steps = _take(photograph.digest, variant.name, results.stamp, results)
        _show_stations(photograph, variant, steps, results)


def _choose_photograph(size: int) -> Photograph:
    """A sample, or the visitor's own photograph; at first the one that is open on the first page."""
    opened = photographs.opened_photograph(size)
    sample = opened.sample if opened else SAMPLES[0]
    titles = [one.title for one in SAMPLES] + [_YOURS] * (sample is None)
    title = _choose("Photograph", titles, "photo", sample.title if sample else _YOURS)
    if title == _YOURS:
        return opened
    return photographs.of_sample(next(one for one in SAMPLES if one.title == title), size)


def _choose(label: str, titles: list[str], key: str, first: str | None = None) -> str:
    return st.segmented_control(label, titles, default=first or titles[0], required=True, key=key, bind="query-params", wrap=True)


def _show_stations(photograph: Photograph, variant: Variant, steps: tuple[Step, ...], results: Results) -> None:
    captioner = results.captioner
    scene = Scene(
        variant=variant,
        config=captioner.checkpoints[variant.name].preset.decoder,
        words=results.words,
        steps=steps,
        place=_choose_step(len(steps)) - 1,
        rows=captioner.encoder.rows,
        columns=captioner.encoder.columns,
        photograph=_picture(photograph.digest, photograph),
    )
    st.html(sentence(scene))
    st.html(stations(scene))


def _choose_step(count: int) -> int:
    if count < 2:
        return 1
    about = "A sentence is written in as many steps as it has words, and one more for its end."
    return st.slider("Step", 1, count, min(2, count), key="step", bind="query-params", help=about, width=420)


@kept(_KEPT * len(VARIANTS))
def _take(digest: str, variant: str, stamp: Stamp, _results: Results) -> tuple[Step, ...]:
    """All steps of the decoder's sentence about the photograph."""
    captioner, seen = _results.captioner, _results.seen
    slots = captioner.slots(variant, seen)
    return _results.queue.run(lambda: greedy_steps(captioner.decoders[variant], seen.features[0], slots=slots))


@kept(_KEPT)
def _picture(digest: str, _photograph: Photograph) -> str:
    """The photograph as the CNN takes it, as an address that holds the picture itself."""
    file = BytesIO()
    Image.fromarray(_photograph.pixels).save(file, "JPEG", quality=88)
    return "data:image/jpeg;base64," + base64.b64encode(file.getvalue()).decode()


def _show_search(folder: Path) -> None:
    st.header("A caption is the result of a search", anchor=False)
    try:
        config = load_search_config(folder)
    except TriptychError as error:
        refuse(error)
        return
    st.markdown(
        "Taking the likeliest word each time (*greedy*, as above) can lead into a sentence that is unlikely as a whole: the best "
        "second word may need a first word that was only second best. So the first page searches (*beam search*): at every word "
        f"it keeps the {config.beam} likeliest unfinished sentences, lengthens each by every word of the vocabulary, and again "
        f"keeps the best {config.beam}. A sentence that reaches its end is put aside; in the end the finished are compared.\n\n"
        "How likely a sentence is: the product of its words’ probabilities (computed as a sum of logarithms). Every further word "
        "makes the product smaller, so short sentences would win; the sum is therefore divided by the number of words, "
        f"the end counted as one, to the power of {config.length_preference:g} (the *length preference*; 0 would leave it as it "
        "is, 1 takes the mean)."
    )


def _show_comparison(variants: list[Variant], comparison: tuple[Property, ...]) -> None:
    st.header("What differs between the decoders, and what does not", anchor=False)
    st.markdown("Read from the settings that lie beside each decoder’s weights.")
    st.html(layer_tables.comparison(variants, comparison))


def _show_limits() -> None:
    st.header("What they cannot do", anchor=False)
    st.markdown("Of the three decoders that ship with this project:")
    st.html(f'<ul class="limits">{"".join(f"<li>{html.escape(limit)}</li>" for limit in LIMITS)}</ul>')
