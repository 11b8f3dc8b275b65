"""The Captioner: photographs in, captions of every decoder out, with word probabilities and attention maps.

A photograph is encoded once for all decoders. Files are read by `captioner.data.images`; beam search is in
`captioner.captioning.beam_search`.
"""

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from captioner.captioning.beam_search import follow, search
from captioner.captioning.hypotheses import Hypothesis
from captioner.captioning.numpy_decoder import NumpyDecoder
from captioner.captioning.search_trace import Candidate, Trace
from captioner.config import SearchConfig
from captioner.data.images import resize
from captioner.errors import CheckpointError, ConfigError
from captioner.model.checkpoints import Checkpoint, EncoderMark, load_all
from captioner.vision.encoder import Encoder, Seen
from captioner.vision.encoders import load_encoder
from captioner.vision.keras_applications import APPLICATIONS, START_WITH
from captioner.vocabulary import END, END_WORD, Vocabulary


@dataclass(frozen=True, eq=False)
class Caption:
    """One caption and why. The tuples over steps have one entry per word, and one for the end when it is finished."""

    variant: str
    text: str
    words: tuple[str, ...]
    log_probability: float
    word_log_probabilities: tuple[float, ...]
    alternatives: tuple[tuple[tuple[str, float], ...], ...] = field(repr=False)
    attention: np.ndarray | None = field(repr=False)  # (steps, rows, columns)
    finished: bool
    milliseconds: float

    @property
    def steps(self) -> tuple[str, ...]:
        """The words, and the end where the caption has one: what the tuples over steps belong to."""
        return self.words + ((END_WORD,) if self.finished else ())

    def to_json(self) -> dict[str, Any]:
        """The JSON form, shared by command line, page and service."""
        words = len(self.words)
        return {
            "text": self.text,
            "log_probability": self.log_probability,
            "words": list(self.words),
            "word_log_probabilities": list(self.word_log_probabilities[:words]),
            "end_log_probability": self.word_log_probabilities[words] if self.finished else None,
        }


class Captioner:
    """One encoder and its decoders. Safe to share between threads: nothing changes between calls."""

    def __init__(self, encoder: Encoder, checkpoints: dict[str, Checkpoint]):
        self.encoder, self.checkpoints = encoder, checkpoints
        self.vocabulary: Vocabulary = next(iter(checkpoints.values())).vocabulary
        # Each decoder runs in its own thread; BLAS threads would compete for the same cores.
        self._limits = threadpool_limits(1, "blas")
        self._pool = ThreadPoolExecutor(len(checkpoints), thread_name_prefix="decoder")
        self.decoders = dict(zip(checkpoints, self._pool.map(NumpyDecoder.of, checkpoints.values()), strict=True))

    @classmethod
    def load(
        cls,
        folder: Path,
        variants: Sequence[str] | None = None,
        encoder: Encoder | None = None,
        stage: str | None = None,
        weights: Path | None = None,
    ) -> "Captioner":
        """The decoders of a checkpoints folder, all or some, with the encoder that they were trained with.

        `weights` is the weight file of a `keras.applications` encoder.
        """
        return cls.of(load_all(Path(folder), tuple(variants) if variants else None, stage), encoder, Path(folder), weights)

    @classmethod
    def of(
        cls,
        checkpoints: dict[str, Checkpoint],
        encoder: Encoder | None = None,
        near: Path | None = None,
        weights: Path | None = None,
    ) -> "Captioner":
        """The decoders of these checkpoints with their encoder, or with `encoder` if its fingerprint matches.

        `near` is the decoders' folder, beside which their encoder may lie.
        """
        mark = next(iter(checkpoints.values())).encoder
        encoder = encoder or load_encoder(mark.name, weights=weights, near=near)
        if EncoderMark.of(encoder) != mark:
            todo = START_WITH if encoder.name == mark.name in APPLICATIONS else "use the encoder that they were trained with"
            raise CheckpointError(
                f"The decoders were trained with the encoder {mark.name} ({mark.fingerprint}), "
                f"but this one is {encoder.name} ({encoder.fingerprint}); {todo}."
            )
        return cls(encoder, checkpoints)

    @property
    def stage(self) -> str:
        """The last training stage of the decoders."""
        return next(iter(self.checkpoints.values())).stage

    @property
    def variants(self) -> tuple[str, ...]:
        return tuple(self.decoders)

    def encode(self, pictures: Sequence[np.ndarray]) -> np.ndarray:
        """Checked pictures of any size, uint8 (height, width, 3), to features (pictures, regions, channels)."""
        return self.see(pictures).features

    def see(self, pictures: Sequence[np.ndarray]) -> Seen:
        """The same with the CNN's own classes."""
        return self.encoder.see(np.stack([resize(picture, self.encoder.size) for picture in pictures]))

    def caption(
        self, pictures: Sequence[np.ndarray], config: SearchConfig = SearchConfig(), variants: Sequence[str] | None = None
    ) -> list[dict[str, list[Caption]]]:
        """The captions of each decoder for each picture, best first; the decoders run in parallel."""
        return self.caption_features(self.encode(pictures), config, variants) if len(pictures) else []

    def caption_features(
        self,
        features: np.ndarray,
        config: SearchConfig = SearchConfig(),
        variants: Sequence[str] | None = None,
        beginning: Sequence[str] = (),
    ) -> list[dict[str, list[Caption]]]:
        """The same from features (pictures, regions, channels) of any float type.

        Every caption starts with the words of `beginning`.
        """
        if not len(features):
            return []
        names, prefix = self._names(variants), self.vocabulary.encode(beginning)
        features = features.astype(np.float32, copy=False)
        columns = list(self._pool.map(lambda name: self._captions(name, features, config, prefix), names))
        return [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]

    def follow(
        self, features: np.ndarray, words: Sequence[str], variants: Sequence[str] | None = None, finished: bool = True
    ) -> dict[str, Caption]:
        """Score given words for one picture's features (regions, channels): word probabilities and each decoder's alternatives.

        An out-of-vocabulary word gets the probability of the unknown word.
        """
        ids = self.vocabulary.encode(words) + [END] * finished
        features = features.astype(np.float32, copy=False)[None]

        def judge(name: str) -> Caption:
            start = time.perf_counter()
            session = self.decoders[name].session(features)
            found = follow(session.step, session.state, ids)
            return self._caption(name, found, (time.perf_counter() - start) * 1000)

        names = self._names(variants)
        return dict(zip(names, self._pool.map(judge, names), strict=True))

    def tree(
        self, features: np.ndarray, variant: str, config: SearchConfig, beginning: Sequence[str] = ()
    ) -> tuple[list[Candidate], list[int]]:
        """Every candidate of one decoder's search for one picture's features, and the path of the best caption."""
        self._names((variant,))
        trace, features = Trace(), features.astype(np.float32, copy=False)[None]
        best = _search(self.decoders[variant], features, config, self.vocabulary.encode(beginning), trace)[0][0]
        return trace.candidates, trace.find(best.ids + (END,) * best.finished)

    def _names(self, variants: Sequence[str] | None) -> tuple[str, ...]:
        names = tuple(variants) if variants else self.variants
        for name in names:
            if name not in self.decoders:
                raise ConfigError(f"There is no decoder '{name}' here; choose among {', '.join(self.variants)}.")
        return names

    def _captions(self, variant: str, features: np.ndarray, config: SearchConfig, prefix: Sequence[int]) -> list[list[Caption]]:
        start = time.perf_counter()
        found = _search(self.decoders[variant], features, config, prefix)
        milliseconds = (time.perf_counter() - start) * 1000 / len(features)
        return [[self._caption(variant, hypothesis, milliseconds) for hypothesis in beam] for beam in found]

    def _caption(self, variant: str, found: Hypothesis, milliseconds: float) -> Caption:
        words = tuple(self.vocabulary.decode(found.ids))
        alternatives = tuple(
            tuple((self.vocabulary.words[number], probability) for number, probability in step) for step in found.alternatives
        )
        attention = found.attention
        if attention is not None:
            attention = attention.reshape(len(attention), self.encoder.rows, self.encoder.columns)
        return Caption(
            variant=variant,
            text=" ".join(words),
            words=words,
            log_probability=found.log_probability,
            word_log_probabilities=found.log_probabilities,
            alternatives=alternatives,
            attention=attention,
            finished=found.finished,
            milliseconds=milliseconds,
        )


def _search(
    decoder: NumpyDecoder, features: np.ndarray, config: SearchConfig, prefix: Sequence[int], trace: Trace | None = None
) -> list[list[Hypothesis]]:
    """The hypotheses for each photograph's features (photographs, regions, channels), best first."""
    session = decoder.session(features)
    return search(session.step, session.state, len(features), config, prefix=prefix, trace=trace)
