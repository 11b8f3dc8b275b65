"""The decoders' results for a photograph, cached by photograph, decoders and settings, so that each is computed once.

The one place where the page asks the decoders; visitors wait in the queue. Every cache is bounded.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import streamlit as st

from captioner.captioning.search_trace import Candidate
from captioner.config import SearchConfig
from captioner.scoring.familiarity import Familiarity, Judgement
from captioner.service.engine import Captions
from captioner.views.photographs import Photograph
from captioner.views.resources import Stamp, kept, load_engine, stamp
from captioner.vision.encoder import Seen

if TYPE_CHECKING:
    from captioner.captioning.caption import Caption

_CAPTIONS_KEPT, _FEATURES_KEPT = 256, 64


class Results:
    """One photograph and the decoders of a folder, which are loaded when this is made."""

    def __init__(self, folder: Path, photograph: Photograph):
        # Stamped before they are loaded: decoders that are replaced in between are at worst asked again.
        self.folder, self.photograph, self.sample, self.stamp = folder, photograph, photograph.sample, stamp(folder)
        engine = load_engine(folder)
        self.captioner, self.queue = engine.captioner, engine.queue

    @property
    def features(self) -> np.ndarray:
        """(regions, channels)"""
        return self.seen.features[0]

    @property
    def seen(self) -> Seen:
        return _see(self.photograph.digest, self.captioner.encoder.fingerprint, self)

    @property
    def words(self) -> tuple[str, ...]:
        """By number: the vocabulary's words, and those in the photograph's slots."""
        return (*self.captioner.vocabulary.words, *(one.word for one in self.captioner.words_seen(self.seen)[0]))

    def captions(self, config: SearchConfig, beginning: Sequence[str] = ()) -> Captions:
        """Of every decoder, best first."""
        return _captions(self.photograph.digest, self.stamp, config, tuple(beginning), self)

    def followed(self, words: Sequence[str], finished: bool = True) -> dict[str, "Caption"]:
        """How likely every decoder finds these words, one by one."""
        return _followed(self.photograph.digest, self.stamp, tuple(words), finished, self)

    def tree(self, variant: str, config: SearchConfig) -> tuple[list[Candidate], list[int]]:
        return _tree(self.photograph.digest, self.stamp, variant, config, self)

    def familiarity(self) -> tuple[Familiarity, Judgement] | None:
        """How familiar the photograph is; None without a summary of the training photographs of this encoder."""
        summary = _summary(self.folder, self.stamp)
        if summary is None or summary.encoder != self.captioner.encoder.fingerprint:
            return None
        return summary, summary.judge(self.features)

    def classes(self) -> np.ndarray | None:
        """The probabilities of the CNN's own 1,000 classes, where it came with its classifier."""
        return None if self.seen.classes is None else self.seen.classes[0]


@kept(_FEATURES_KEPT)
def _see(digest: str, encoder: str, _results: Results) -> Seen:
    return _results.queue.run(_results.captioner.see, [_results.photograph.pixels])


@kept(_CAPTIONS_KEPT)
def _captions(digest: str, stamp: Stamp, config: SearchConfig, beginning: tuple[str, ...], _results: Results) -> Captions:
    return _results.queue.run(_results.captioner.caption_seen, _results.seen, config, None, beginning)[0]


@kept(_CAPTIONS_KEPT)
def _followed(digest: str, stamp: Stamp, words: tuple[str, ...], finished: bool, _results: Results) -> dict[str, "Caption"]:
    return _results.queue.run(_results.captioner.follow, _results.seen, words, None, finished)


@kept(_FEATURES_KEPT)
def _tree(digest: str, stamp: Stamp, variant: str, config: SearchConfig, _results: Results) -> tuple[list[Candidate], list[int]]:
    return _results.queue.run(_results.captioner.tree, _results.seen, variant, config)


@st.cache_resource(max_entries=4, show_spinner=False)
def _summary(folder: Path, stamp: Stamp) -> Familiarity | None:
    return Familiarity.load(folder)
