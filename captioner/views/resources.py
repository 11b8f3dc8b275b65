"""What every page needs: the decoders loaded once per process, the queue of all visitors, the style, and how errors look."""

import functools
import gc
import html
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import streamlit as st

from captioner.config import ADAPTED, STAGES
from captioner.errors import CheckpointError, TriptychError
from captioner.model.checkpoints import load_all
from captioner.model.stage_folders import peek_settings
from captioner.runtime import cores
from captioner.scoring.familiarity import summary_path
from captioner.service.engine import Engine
from captioner.service.queue import WorkQueue
from captioner.storage import MANIFEST
from captioner.views.launch_options import hide_server_paths, launch_options

if TYPE_CHECKING:
    from captioner.vision.encoder import Encoder

QUEUE = WorkQueue(cores())  # for all visitors and, where one process serves both, for the HTTP service
STYLES = Path(__file__).parent

Stamp = tuple[str, ...]


def open_page(title: str, style: str | None = None) -> None:
    """The style sheet that all pages share, a page's own where it has one, and the heading that every page starts with."""
    st.html(STYLES / "page.css")
    if style:
        st.html(STYLES / style)
    st.title(title, anchor=False, width="content")


def choose_one(label: str, options: Sequence[str], key: str, **more: Any) -> str:
    """Buttons of which exactly one is chosen, at first the first; the choice is in the page's address."""
    defaults = {"default": options[0], "required": True, "bind": "query-params"}
    return st.segmented_control(label, options, key=key, **defaults | more)


def stamp(folder: Path) -> Stamp:
    """Changes when the decoders in the folder do, so that no cached result outlives a training."""
    files = [*sorted(folder.glob(f"*/{MANIFEST}")), summary_path(folder)]
    return (str(folder), *(f"{path.parent.name}/{path.name} {_changed(path)}" for path in files))


def _changed(path: Path) -> int:
    """When the file was written; 0 where it is missing, or has just been removed."""
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0


def kept(most: int) -> Callable[[Callable], Callable]:
    """Cache results: those for a sample for everybody, those for a visitor's own photograph until the visit ends.

    The function's last argument says by its `sample` which it is; the _ before its name keeps it out of the cache key.
    """

    def decorate(work: Callable) -> Callable:
        everybody = st.cache_data(work, max_entries=most, show_spinner=False)
        visitor = st.cache_data(work, max_entries=most, show_spinner=False, scope="session")
        return functools.wraps(work)(lambda *given: (everybody if given[-1].sample else visitor)(*given))

    return decorate


def load_engine(folder: Path) -> Engine:
    """The decoders of a folder; loaded at the first call and shared by all visitors after it."""
    return _load(stamp(folder), folder)


@st.cache_resource(max_entries=len(STAGES), show_spinner=False)
def _load(version: Stamp, folder: Path) -> Engine:
    from captioner.captioning.captioner import Captioner

    mark = peek_settings(folder, lambda config: (config["encoder"]["name"], config["encoder"]["fingerprint"]), (ADAPTED, ""))
    with ThreadPoolExecutor(1) as beside:
        encoder = beside.submit(_load_encoder, *mark, folder)
        checkpoints = load_all(folder)
    try:
        captioner = Captioner.of(checkpoints, encoder.result())
    except CheckpointError:  # The wrong encoder must not stay cached under the right one's name.
        _load_encoder.clear()
        raise
    # Streamlit collects garbage after every click; frozen, what was imported is not looked through each time.
    gc.collect()
    gc.freeze()
    return Engine(captioner, queue=QUEUE)


@st.cache_resource(max_entries=1, show_spinner=False)
def _load_encoder(name: str, fingerprint: str, _near: Path) -> "Encoder":
    """The encoder that the decoders of all stages share; the fingerprint distinguishes encoders of the same name."""
    from captioner.vision.encoders import load_encoder

    return load_encoder(name, weights=launch_options().encoder_weights, near=_near)


def refuse(error: TriptychError) -> None:
    """Show an error's sentence as plain text: it may hold a file's name, and markdown in that could fetch a picture."""
    st.html(f'<p class="refusal" role="alert">{html.escape(hide_server_paths(str(error)))}</p>')


@contextmanager
def refusals() -> Iterator[None]:
    """Show errors in their place and go on with the rest of the page; around a fragment nothing else would show them."""
    try:
        yield
    except TriptychError as error:
        refuse(error)
    except ImportError as error:
        refuse(TriptychError(f"{error.name} cannot be imported; run pip install -r requirements.txt."))
