"""Which photograph the page is about: the visitor's own or a sample, read at most once and scaled down for display."""

import hashlib
from dataclasses import dataclass
from functools import cached_property
from io import BytesIO

import numpy as np
import streamlit as st
from PIL import Image, ImageOps

from captioner.images import FORMATS, read
from captioner.samples import SAMPLES, Sample

SHOWN_SIZE = (1120, 720)
THUMBNAIL_SIZE = (176, 132)
_UPLOADED, _SAMPLE, _UPLOADERS = "uploaded", "sample", "uploaders"


@dataclass(frozen=True)
class Photograph:
    """A picture file, its pixels read only when somebody needs them; one lives as long as one run of the page."""

    name: str
    data: bytes
    description: str

    @cached_property
    def digest(self) -> str:
        return hashlib.sha256(self.data).hexdigest()

    @cached_property
    def pixels(self) -> np.ndarray:
        return read(self.data, self.name)

    def preview(self) -> bytes:
        """A small JPEG of it, for display."""
        return _preview(self.digest, self)


@st.cache_data(max_entries=64, show_spinner=False)
def _preview(digest: str, _photograph: Photograph) -> bytes:
    image = Image.fromarray(_photograph.pixels)
    image.thumbnail(SHOWN_SIZE)
    return _jpeg(image)


@st.cache_data(max_entries=len(SAMPLES), show_spinner=False)
def _thumbnail(sample: Sample) -> bytes:
    return _jpeg(ImageOps.fit(Image.fromarray(read(sample.read(), sample.file)), THUMBNAIL_SIZE))


def _jpeg(image: Image.Image) -> bytes:
    file = BytesIO()
    image.save(file, "JPEG", quality=88)
    return file.getvalue()


def choose() -> Photograph:
    """Draw the uploader and the samples; return what was chosen last, at first the first sample."""
    uploader = f"upload-{st.session_state.get(_UPLOADERS, 0)}"
    # The list of endings makes a phone offer its camera, and hand over a JPEG where it keeps another format.
    endings = ["jpg", *(name.lower() for name in FORMATS)]
    label = "Your own photograph, or one of the samples"
    st.file_uploader(label, type=endings, key=uploader, on_change=_keep_upload, args=(uploader,))
    with st.container(horizontal=True, key="samples"):
        for sample in SAMPLES:
            with st.container(width=THUMBNAIL_SIZE[0] // 2, gap="xsmall"):
                st.image(_thumbnail(sample), alt=sample.description)
                st.button(sample.title, key=sample.file, on_click=_keep_sample, args=(sample,), width="stretch")
    return _chosen()


def _chosen() -> Photograph:
    if _UPLOADED in st.session_state:
        name, data = st.session_state[_UPLOADED]
        return Photograph(name, data, f"Your photograph {name}.")
    sample = st.session_state.get(_SAMPLE, SAMPLES[0])
    return Photograph(sample.file, sample.read(), sample.description)


def _keep_upload(uploader: str) -> None:
    """Remember the upload, so that it outlives a visit to another page; a file taken out again is forgotten."""
    file = st.session_state[uploader]
    if file is None:
        st.session_state.pop(_UPLOADED, None)
    else:
        st.session_state[_UPLOADED] = (file.name, file.getvalue())


def _keep_sample(sample: Sample) -> None:
    """A sample takes the upload's place; an uploader under a new name is an empty one."""
    st.session_state[_SAMPLE] = sample
    st.session_state.pop(_UPLOADED, None)
    st.session_state[_UPLOADERS] = st.session_state.get(_UPLOADERS, 0) + 1
