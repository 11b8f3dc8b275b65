"""What the decoders find in a photograph, kept by the photograph, the decoders and the settings; each is computed once.

The one place where the page asks the Captioner; visitors take their turns. Every cache is bounded.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import streamlit as st

from captioner.captioning.search_trace import Candidate
from captioner.config import SearchConfig
from captioner.scoring.familiarity import Familiarity, Judgement
from captioner.views.photographs import Photograph, kept
from captioner.views.resources import GATE, Stamp, load_captioner, stamp

if TYPE_CHECKING:
    from captioner.captioning.captioner import Caption

Captions = dict[str, list["Caption"]]  # by decoder, best first
_CAPTIONS_KEPT, _FEATURES_KEPT = 256, 64


class Findings:
    """One photograph before the decoders of a folder; the folder's decoders are loaded when this is made."""

    def __init__(self, folder: Path, photograph: Photograph):
        # Stamped before they are loaded: decoders that are replaced in between are at worst asked again.
        self.folder, self.photograph, self.stamp = folder, photograph, stamp(folder)
        self.captioner = load_captioner(folder)

    @property
    def features(self) -> np.ndarray:
        """(regions, channels)"""
        return _features(self.photograph.digest, self.captioner.encoder.fingerprint, self)

    @property
    def is_sample(self) -> bool:
        return self.photograph.is_sample

    def captions(self, config: SearchConfig, beginning: Sequence[str] = ()) -> Captions:
        return _captions(self.photograph.digest, self.stamp, config, tuple(beginning), self)

    def followed(self, words: Sequence[str], finished: bool = True) -> dict[str, "Caption"]:
        """What every decoder thinks of these words, one by one."""
        return _followed(self.photograph.digest, self.stamp, tuple(words), finished, self)

    def tree(self, variant: str, config: SearchConfig) -> tuple[list[Candidate], list[int]]:
        return _tree(self.photograph.digest, self.stamp, variant, config, self)

    def familiarity(self) -> tuple[Familiarity, Judgement] | None:
        """How familiar the photograph is; None where no summary of the training photographs of this encoder is there."""
        summary = _summary(self.folder, self.stamp)
        if summary is None or summary.encoder != self.captioner.encoder.fingerprint:
            return None
        return summary, summary.judge(self.features)

    def classes(self) -> np.ndarray | None:
        """The probabilities of the CNN's own 1,000 classes, where it came with its classifier."""
        features = self.features[None]
        with GATE.passing():
            probabilities = self.captioner.encoder.classify(features)
        return None if probabilities is None else probabilities[0]


@kept(_FEATURES_KEPT)
def _features(digest: str, encoder: str, _findings: Findings) -> np.ndarray:
    with GATE.passing():
        return _findings.captioner.encode([_findings.photograph.pixels])[0]


@kept(_CAPTIONS_KEPT)
def _captions(digest: str, stamp: Stamp, config: SearchConfig, beginning: tuple[str, ...], _findings: Findings) -> Captions:
    features = _findings.features[None]
    with GATE.passing():
        return _findings.captioner.caption_features(features, config, beginning=beginning)[0]


@kept(_CAPTIONS_KEPT)
def _followed(
    digest: str, stamp: Stamp, words: tuple[str, ...], finished: bool, _findings: Findings
) -> dict[str, "Caption"]:
    features = _findings.features
    with GATE.passing():
        return _findings.captioner.follow(features, words, finished=finished)


@kept(_FEATURES_KEPT)
def _tree(
    digest: str, stamp: Stamp, variant: str, config: SearchConfig, _findings: Findings
) -> tuple[list[Candidate], list[int]]:
    features = _findings.features
    with GATE.passing():
        return _findings.captioner.tree(features, variant, config)


@st.cache_resource(max_entries=4, show_spinner=False)
def _summary(folder: Path, stamp: Stamp) -> Familiarity | None:
    return Familiarity.load(folder)
