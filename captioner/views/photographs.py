"""The choice of a photograph: uploaded, pasted, taken, a sample or an earlier one; each is scaled down as it is read."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import TypeVar

import numpy as np
import streamlit as st
from PIL import Image, ImageOps

from captioner.data.images import FORMATS, MAXIMUM_BYTES, read, resize
from captioner.data.samples import SAMPLES, Sample
from captioner.errors import BusyError, ImageError
from captioner.views import server
from captioner.views.resources import QUEUE, kept

SHOWN_SIZE = (1120, 720)
THUMBNAIL_SIZE = (176, 132)
MOST_AT_ONCE, MOST_KEPT = 50, 12
_SMALLEST = 32  # pixels of the shorter side
_TOO_MANY = f"No more than {MOST_AT_ONCE} pictures are captioned at once; upload this one with the next."
_OWN, _CHOSEN, _OPENED, _UPLOADERS, _ARRIVED, _SAMPLE = "own", "chosen", "on-the-first-page", "uploaders", "arrived", "sample"
_PASTE = Path(__file__).with_name("paste.js")
_HINT = '<p class="hint">or paste one with Ctrl V (⌘ V on a Mac)</p>'


@dataclass(frozen=True, eq=False)
class Photograph:
    """A preview and the pixels that the network takes; the file itself is not kept."""

    name: str
    description: str
    digest: str
    preview: bytes = field(repr=False)
    pixels: np.ndarray = field(repr=False)  # (size, size, 3)
    sample: Sample | None = None


@dataclass(frozen=True)
class Refused:
    """A file that is not a usable picture, and a sentence that says why."""

    name: str
    reason: str


Arrival = Photograph | Refused
Item, Made = TypeVar("Item"), TypeVar("Made")


def _prepare(name: str, data: bytes, size: int, description: str, sample: Sample | None = None) -> Photograph:
    preview, pixels = QUEUE.run(_scale_down, name, data, size)
    return Photograph(name, description, hashlib.sha256(data).hexdigest(), preview, pixels, sample)


def _scale_down(name: str, data: bytes, size: int) -> tuple[bytes, np.ndarray]:
    pixels = read(data, name)
    image = Image.fromarray(pixels)
    image.thumbnail(SHOWN_SIZE)
    return _jpeg(image), resize(pixels, size)


def thumbnail(photograph: Photograph) -> bytes:
    return _thumbnail(photograph.digest, photograph)


@kept(256)
def _thumbnail(digest: str, _photograph: Photograph) -> bytes:
    return _jpeg(ImageOps.fit(Image.open(BytesIO(_photograph.preview)), THUMBNAIL_SIZE))


def _jpeg(image: Image.Image) -> bytes:
    file = BytesIO()
    image.convert("RGB").save(file, "JPEG", quality=88)
    return file.getvalue()


def choose(size: int) -> Photograph:
    """Draw every way to a photograph and return the last choice, at first the sample in the address or the first one.

    Raises an `ImageError` for a refused file. `size` is the side of the square that the network takes.
    """
    st.session_state[_OPENED] = chosen = _choose(size)
    if isinstance(chosen, Refused):
        raise ImageError(chosen.reason)
    return chosen


def _choose(size: int) -> Arrival:
    _draw_uploader()
    _draw_samples(size)
    files = st.session_state.pop(_ARRIVED, ())
    if files:
        own = _receive(files[:MOST_AT_ONCE], size) + [Refused(name, _TOO_MANY) for name, _ in files[MOST_AT_ONCE:]]
        st.session_state[_CHOSEN] = next((one for one in own if isinstance(one, Photograph)), own[-1])
        st.session_state[_OWN] = own
    if _CHOSEN not in st.session_state:
        return _sample_in_the_address(size)
    chosen = st.session_state[_CHOSEN]
    _put_into_address(chosen)
    return chosen


def several() -> Sequence[Arrival]:
    """The visitor's own pictures if more than one arrived together, else none."""
    own = st.session_state.get(_OWN, ())
    return own if len(own) > 1 else ()


def show_again(photograph: Photograph) -> None:
    """Make this the photograph of the page at its next run."""
    st.session_state[_CHOSEN] = photograph


def opened() -> Arrival | None:
    """What the first page showed last in this visit."""
    return st.session_state.get(_OPENED)


def opened_photograph(size: int) -> Photograph | None:
    """The same if it is a photograph of the size that a network takes."""
    found = opened()
    return found if isinstance(found, Photograph) and len(found.pixels) == size else None


def too_small(photograph: Photograph) -> str:
    """A warning about a picture of a few pixels; empty for others."""
    width, height = Image.open(BytesIO(photograph.preview)).size
    if min(width, height) >= _SMALLEST:
        return ""
    return f"This picture has only {width} × {height} pixels: too few to tell things apart, so the captions are guesses."


def _draw_uploader() -> None:
    uploader = f"upload-{st.session_state.get(_UPLOADERS, 0)}"
    # The list of endings makes a phone offer its camera, and convert its own format to JPEG.
    endings = ["jpg", *(name.lower() for name in FORMATS)]
    st.file_uploader(
        "Your own photographs", type=endings, accept_multiple_files=True, max_upload_size=MAXIMUM_BYTES >> 20, key=uploader,
        on_change=_keep_uploads, args=(uploader,),
    )  # fmt: skip
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        _paste_component()(key="paste", height="content")
        camera = st.popover("Take a photograph", on_change="rerun", key="camera")
        if camera.open:
            with camera:
                st.camera_input("Your camera", key="taken", on_change=_keep_taken)


@st.cache_resource(show_spinner=False)
def _paste_component() -> object:
    """A hint that also listens: a pasted picture is handed to the uploader."""
    css = (
        ".hint { margin: 0; font: 0.9rem var(--st-font); color: var(--st-text-color); opacity: 0.85; }"
        "@media not (hover: hover) { .hint { display: none; } }"  # A touch screen seldom has a keyboard.
    )
    return st.components.v2.component("triptych_paste", html=_HINT, css=css, js=_PASTE.read_text(encoding="utf-8"))


def _draw_samples(size: int) -> None:
    with st.container(horizontal=True, key="samples"):
        for sample in SAMPLES:
            photograph = of_sample(sample, size)
            with st.container(width=THUMBNAIL_SIZE[0] // 2, gap="xsmall"):
                st.image(thumbnail(photograph), alt=sample.description)
                st.button(sample.title, key=sample.file, on_click=_keep_sample, args=(sample, size), width="stretch")


@st.cache_data(max_entries=2 * len(SAMPLES), show_spinner=False)
def of_sample(sample: Sample, size: int) -> Photograph:
    return _prepare(sample.file, sample.read(), size, sample.description, sample)


def _sample_in_the_address(size: int) -> Photograph:
    wanted = st.query_params.get(_SAMPLE, "").lower()
    named = next((sample for sample in SAMPLES if sample.title.lower() == wanted), None)
    if named is None:
        st.query_params.pop(_SAMPLE, None)
    return of_sample(named or SAMPLES[0], size)


def _put_into_address(chosen: Arrival) -> None:
    """A link can hold a sample, but not a visitor's own picture."""
    sample = chosen.sample if isinstance(chosen, Photograph) else None
    if sample is None:
        st.query_params.pop(_SAMPLE, None)
    elif st.query_params.get(_SAMPLE) != sample.title.lower():
        st.query_params[_SAMPLE] = sample.title.lower()


def _receive(files: Sequence[tuple[str, bytes]], size: int) -> list[Arrival]:
    if len(files) == 1:
        return [_receive_one(*files[0], size)]
    return with_bar(files, lambda file: _receive_one(*file, size), "Reading the pictures", "Read")


def with_bar(items: Sequence[Item], work: Callable[[Item], Made], label: str, done: str) -> list[Made]:
    """Work through pictures below a progress bar."""
    bar, made = st.progress(0.0, label), []
    for number, item in enumerate(items, 1):
        made.append(work(item))
        bar.progress(number / len(items), f"{done} {number} of {len(items)} pictures")
    bar.empty()
    return made


def _receive_one(name: str, data: bytes, size: int) -> Arrival:
    try:
        return _prepare(name, data, size, f"Your photograph {name}.")
    except (ImageError, BusyError) as error:
        return Refused(name, str(error))


def _keep_uploads(uploader: str) -> None:
    """Take the files out of the uploader, so that they outlive a visit to another page and no large file stays there."""
    files = st.session_state[uploader]
    if files:
        st.session_state[_ARRIVED] = [(file.name, file.getvalue()) for file in files]
        server.remove_uploads(files)
        _empty_uploader()


def _keep_taken() -> None:
    if st.session_state["taken"] is not None:
        st.session_state[_ARRIVED] = [("from your camera", st.session_state["taken"].getvalue())]


def _keep_sample(sample: Sample, size: int) -> None:
    """A sample replaces the upload."""
    for key in (_OWN, _ARRIVED):
        st.session_state.pop(key, None)
    st.session_state[_CHOSEN] = of_sample(sample, size)
    _empty_uploader()


def _empty_uploader() -> None:
    """An uploader under a new name is an empty one."""
    st.session_state[_UPLOADERS] = st.session_state.get(_UPLOADERS, 0) + 1
