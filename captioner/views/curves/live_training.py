"""Training while one looks on: the button, and what the page of the curves shows above them while three decoders learn shapes."""

import base64
import html
from collections.abc import Iterable
from pathlib import Path

import streamlit as st

from captioner.config import VARIANTS
from captioner.data.datasets import shapes
from captioner.data.images import read
from captioner.errors import TrainingError
from captioner.figures.curves.histories import FINISHED as DONE
from captioner.figures.curves.histories import Curve
from captioner.training.live_training import FAILED, FINISHED, STOPPED, STOPPING, LiveTraining, can_train
from captioner.views.resources import Stamp, refusals, refuse, stamp
from captioner.views.results import Captions

LIVE = "live training"
_REFUSED = "refused-training"
_SHOWN = 3
_TRAIN = "Train three now"
_CANNOT = "Training needs TensorFlow, which is not installed on this server. Captions do not need it."
_ABOUT = (
    "Three small decoders learn to describe drawn pictures, one after the other, in the background. On two quiet "
    "cores it takes under three minutes; other programs go first."
)
_EXAMPLES = "Three of the pictures that they learn from, each with one of its descriptions:"
_WRITTEN = "What they write of drawings that they have never seen, now that they are trained:"
_LOOKING = "The three small decoders look at new drawings."
_ENDS = {
    FINISHED: "All three are trained; their curves stay until the next training.",
    STOPPED: "The training was stopped; its curves stay until the next one.",
}


@st.cache_resource(on_release=LiveTraining.close)
def live() -> LiveTraining:
    """The one training that all visitors of this server share; it ends with the server."""
    return LiveTraining()


def show_button() -> None:
    """Begin a training and go there, or go and watch the one that somebody has begun."""
    if live().active:
        st.button("Watch the live training", on_click=_watch)
    else:
        about = "Trains the same three decoders in small, on generated pictures of shapes, and draws their curves as they fall."
        _offer(_TRAIN, about)


def _offer(label: str, about: str | None = None) -> None:
    """The button that begins a training, where this server can train."""
    possible = can_train()
    st.button(label, on_click=_start, help=about if possible else _CANNOT, disabled=not possible)


def _watch() -> None:
    st.session_state["run"] = LIVE


def _start() -> None:
    _watch()
    try:
        live().start()
    except TrainingError as error:
        st.session_state[_REFUSED] = str(error)


def show_panel(curves: list[Curve]) -> None:
    """What is being learned, how far it has come, and the one button that fits the moment."""
    with st.container(border=True):
        left, right = st.columns(2, gap="large", vertical_alignment="center")
        right.html(_examples())
        with left:
            st.markdown(_ABOUT)
            _show_progress(live(), curves)
        if live().state == FINISHED:
            with refusals():
                st.html(_written(stamp(live().folder), live().folder))


@st.cache_data(max_entries=1, show_spinner=_LOOKING)
def _written(version: Stamp, folder: Path) -> str:
    """The trained decoders at work, on drawings of the test split."""
    from captioner.captioning.captioner import Captioner

    drawings = [record.read() for record in shapes(1, 1, _SHOWN).split("test")]
    found = Captioner.load(folder).caption([read(drawing) for drawing in drawings])
    return _row(_WRITTEN, map(_figure, drawings, map(_said, found)))


def _said(captions: Captions) -> str:
    return "".join(f"<b>{VARIANTS[name].title}</b> {html.escape(best[0].text)}<br>" for name, best in captions.items())


def _show_progress(training: LiveTraining, curves: list[Curve]) -> None:
    refused = st.session_state.pop(_REFUSED, None)
    if refused:
        refuse(TrainingError(refused))
    elif training.state == FAILED:
        refuse(training.failure)
    if training.active:
        st.progress(_share(curves, training.preset.training.epochs), _sentence(curves, training))
        st.button("Stop", on_click=training.stop, disabled=training.state == STOPPING)
    else:
        st.markdown(_ENDS.get(training.state, ""))
        _offer("Train them again" if training.state in _ENDS else _TRAIN)


def expected_epochs() -> int:
    """How many epochs a decoder that is being trained now will have, at most."""
    return live().preset.training.epochs if live().active else 0


def _share(curves: list[Curve], epochs: int) -> float:
    """How much is done; a decoder that stopped early is done as well."""
    done = sum(1 if curve.state == DONE else len(curve.points) / epochs for curve in curves)
    return min(1.0, done / len(VARIANTS))


def _sentence(curves: list[Curve], training: LiveTraining) -> str:
    if training.state == STOPPING:
        return "Stopping."
    if not curves:
        return "Getting ready: TensorFlow is loaded, and the CNN looks at every picture once."
    last, epochs = curves[-1], training.preset.training.epochs
    number = f"decoder {len(curves)} of {len(VARIANTS)}"
    if last.state == DONE and len(curves) < len(VARIANTS):
        return f"{last.variant.title} is finished ({number}); the next one begins."
    return f"{last.variant.title} ({number}): epoch {len(last.points)} of at most {epochs}."


@st.cache_data(show_spinner=False)
def _examples() -> str:
    """The first training pictures, drawn, each with one of its captions."""
    records = shapes(_SHOWN, 1, 1).split("train")
    return _row(_EXAMPLES, (_figure(record.read(), html.escape(record.captions[0])) for record in records))


def _row(about: str, figures: Iterable[str]) -> str:
    return f'<p class="about">{about}</p><div class="live">{"".join(figures)}</div>'


def _figure(picture: bytes, said: str) -> str:
    """What is said of it stands beside the picture, which therefore needs no other description."""
    address = f"data:image/png;base64,{base64.b64encode(picture).decode()}"
    return f'<figure><img src="{address}" alt=""><figcaption>{said}</figcaption></figure>'
