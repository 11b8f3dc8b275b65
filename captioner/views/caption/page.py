"""The first page: one photograph, what each of the three decoders writes about it, how sure it is and why."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from captioner.captioning.search_settings import load_search_config
from captioner.config import VARIANTS, SearchConfig
from captioner.data.samples import SAMPLES
from captioner.errors import CheckpointError, EncoderError, ImageError, TriptychError
from captioner.figures.decoder.differences import difference
from captioner.model.stage_folders import picture_size, stage_folder
from captioner.storage import exists
from captioner.views import cards, photographs, startup_problems
from captioner.views.caption import familiarity, own_words, settings, several, why
from captioner.views.launch_options import launch_options
from captioner.views.photographs import Photograph, of_sample, thumbnail
from captioner.views.resources import load_engine, open_page, refusals, refuse
from captioner.views.results import Captions, Results

if TYPE_CHECKING:
    from captioner.captioning.caption import Caption

_MORE = 4
_CARD_HEIGHT = 285  # pixels, of a caption in two lines
_ONE_AND_THREE = "One network looked at the photograph; three decoders put what it saw into words."


def prepare() -> None:
    """Load the decoders, draw the samples, and caption the first of them, before anybody visits."""
    options = launch_options()
    folder = stage_folder(options.checkpoints, options.stage)
    with ThreadPoolExecutor(1) as loading:
        loading.submit(load_engine, folder)
        for sample in SAMPLES:
            thumbnail(of_sample(sample, picture_size(folder)))
    Results(folder, of_sample(SAMPLES[0], picture_size(folder))).captions(_with_runners_up(load_search_config(folder)))


def show() -> None:
    with st.container(key="top"):
        left, right = st.columns([5, 6], gap="large", vertical_alignment="center")
    try:
        with right:
            with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
                open_page("Triptych")
                folder, chosen = settings.choose()
                config = _with_runners_up(chosen)
            st.markdown("One photograph, three decoders, three captions.")
            photograph = photographs.choose(picture_size(folder))
        with left:
            st.container(key="photograph").image(photograph.preview, alt=photograph.description)
            if remark := photographs.too_small(photograph):
                st.markdown(remark)
        _show_results(folder, photograph, config)
    except ImageError as error:
        with left:  # In the photograph's place.
            refuse(error)
        several.show(folder, photographs.several(), config)
    except (CheckpointError, EncoderError) as error:
        refuse(error)
        startup_problems.show()
    except TriptychError as error:
        refuse(error)


def _with_runners_up(config: SearchConfig) -> SearchConfig:
    """One alternative more than are shown: the word that was written is usually among them."""
    return replace(config, alternatives=why.NEARLY_WON + 1)


def _show_results(folder: Path, photograph: Photograph, config: SearchConfig) -> None:
    columns = st.columns(sum(exists(folder / name) for name in VARIANTS) or 1)
    with ExitStack() as waiting:
        for column in columns:
            waiting.enter_context(column)
            waiting.enter_context(st.skeleton(height=_CARD_HEIGHT))
        results = Results(folder, photograph)
        captions = results.captions(config)
    _show_cards(folder, captions, columns)
    left, right = st.columns(2, gap="large")
    with left, refusals():
        familiarity.show(results)
    with right:
        familiarity.show_classes(results)
    several.show(folder, photographs.several(), config)
    why.show(results, captions, config)
    own_words.show(results)
    several.show_earlier(photograph, captions)


def _show_cards(folder: Path, captions: Captions, columns: Sequence[DeltaGenerator]) -> None:
    marks = cards.differing([found[0].words for found in captions.values()])
    for column, (name, found), mark in zip(columns, captions.items(), marks, strict=True):
        with column.container(border=True, height="stretch", key=f"card-{name}", gap="xsmall"):
            st.html(cards.heading(VARIANTS[name]) + cards.sentence(found[0].words, mark, found[0].finished))
            st.markdown(_measures(found[0]), help=_explanation(found[0]))
            _show_more(found[1 : 1 + _MORE])
    if len(captions) > 1:
        alike = len({found[0].words for found in captions.values()}) == 1
        st.markdown(f"{_ONE_AND_THREE} {difference(folder)} {compared(any(map(any, marks)), alike)}")


def compared(differ: bool, alike: bool) -> str:
    """What the underlining means."""
    if differ:
        return "Underlined: words, or repeats of words, that not all of them have."
    return "All of them wrote the same sentence." if alike else "All of them used the same words, in another order."


def _measures(caption: "Caption") -> str:
    return f"{cards.odds(caption.log_probability)} · {cards.duration(caption.milliseconds / 1000)}"


def _explanation(caption: "Caption") -> str:
    return (
        f"How sure it was ({cards.odds(caption.log_probability)}): if the decoder drew its words by lot, each as often as it "
        "finds it likely here, this is how often it would write exactly this sentence. "
        f"Log-probability {caption.log_probability:.2f} nats. The search for the words took {caption.milliseconds:.1f} ms."
        + ("" if caption.finished else " It was cut off at the greatest length, so its end is not counted.")
    )


def _show_more(captions: list["Caption"]) -> None:
    if captions:
        with st.expander(f"{len(captions)} more captions" if len(captions) > 1 else "1 more caption", type="compact"):
            st.html(cards.runners_up(captions))
