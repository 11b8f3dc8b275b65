"""The Captioner: photographs in, captions of every decoder out, with their probabilities and where they looked.

A photograph is encoded once for all decoders. Reading files is left to `captioner.images`, the looking for words to
`captioner.search`.
"""

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from threadpoolctl import threadpool_limits

from captioner.checkpoints import Checkpoint, EncoderMark, load_all
from captioner.config import SearchConfig
from captioner.encoder import Encoder, load_encoder
from captioner.errors import CheckpointError, ConfigError
from captioner.images import resize
from captioner.lattice import Hypothesis
from captioner.quick import QuickStep
from captioner.search import State, Step, follow, search
from captioner.trace import Candidate, Trace
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
        """As plain data, the way every door of the program gives a caption out."""
        words = len(self.words)
        return {
            "text": self.text,
            "log_probability": self.log_probability,
            "words": list(self.words),
            "word_log_probabilities": list(self.word_log_probabilities[:words]),
            "end_log_probability": self.word_log_probabilities[words] if self.finished else None,
        }


class DecoderSteps:
    """A decoder's steps, its weights shared by two ways: arrays for one photograph, a compiled function for several.

    What each word adds to the gates is computed once for both.
    """

    def __init__(self, checkpoint: Checkpoint):
        self.decoder = decoder = checkpoint.build()
        gates = tf.constant(decoder.gates_of_words())  # (vocabulary, 4 * units)
        regions, channels = checkpoint.encoder.rows * checkpoint.encoder.columns, checkpoint.encoder.channels
        settings, grid = decoder.config, (decoder.image.units,)
        if settings.image_entry == "attention":
            grid = (settings.heads, regions, settings.image_units // settings.heads)
        part = tf.TensorSpec((None, settings.units), tf.float32)
        state, rows = (part,) * (2 * settings.layers), tf.TensorSpec((None,), tf.int32)

        def step_many(grid: tf.Tensor, state: tuple, words: tf.Tensor, images: tf.Tensor) -> tuple:
            return decoder.step(tf.gather(grid, images), state, tf.gather(gates, words))

        self._start = _compiled(decoder.start, tf.TensorSpec((None, regions, channels), tf.float32))
        self._one = QuickStep(decoder, gates.numpy())
        self._many = _compiled(step_many, tf.TensorSpec((None, *grid), tf.float32), state, rows, rows)

    def search(
        self, features: np.ndarray, config: SearchConfig, prefix: Sequence[int] = (), trace: Trace | None = None
    ) -> list[list[Hypothesis]]:
        """The hypotheses of each photograph's features (photographs, regions, channels), best first."""
        step, state = self._begin(features)
        return search(step, state, len(features), config, prefix=prefix, trace=trace)

    def follow(self, features: np.ndarray, ids: Sequence[int]) -> Hypothesis:
        """A caption that is there already, judged for one photograph's features (1, regions, channels)."""
        return follow(*self._begin(features), ids)

    def _begin(self, features: np.ndarray) -> tuple[Step, State]:
        """The step function over these photographs, and the first state, one row each."""
        grid, state = self._start(tf.constant(features))
        one = grid.numpy() if len(features) == 1 else None

        def step(state: State, words: np.ndarray, images: np.ndarray) -> tuple[np.ndarray, State, np.ndarray | None]:
            if one is not None:
                return self._one(one, state, words)
            # TensorFlow takes several times as long over arrays as over tensors made of them here.
            given = tuple(tf.constant(part) for part in state), tf.constant(words), tf.constant(images)
            log_probabilities, state, attention = self._many(grid, *given)
            parts = tuple(part.numpy() for part in state)
            return log_probabilities.numpy(), parts, None if attention is None else attention.numpy()

        return step, tuple(part.numpy() for part in state)

    def warm(self, features: np.ndarray) -> None:
        """Have both ways ready now, not at the first visitor's photograph."""
        for count in (1, 2):
            self.search(np.repeat(features, count, axis=0), SearchConfig(maximum_words=2))


def _compiled(work: Callable, *signature: tf.TensorSpec | tuple) -> Callable:
    """One compiled function of this signature, without the search for a fitting one at every call."""
    return tf.function(work, signature, autograph=False).get_concrete_function()


class Captioner:
    """One encoder and its decoders. Safe to share between threads: compiled functions hold no state between calls."""

    def __init__(self, encoder: Encoder, checkpoints: dict[str, Checkpoint]):
        self.encoder, self.checkpoints = encoder, checkpoints
        self.vocabulary: Vocabulary = next(iter(checkpoints.values())).vocabulary
        self._decoders = {name: DecoderSteps(checkpoint) for name, checkpoint in checkpoints.items()}
        # The decoders work side by side, a thread each; threads of NumPy's own within each would only be in their way.
        self._limits = threadpool_limits(1, "blas")
        self._pool = ThreadPoolExecutor(len(checkpoints), thread_name_prefix="decoder")
        for decoder in self._decoders.values():
            decoder.warm(np.zeros((1, encoder.regions, encoder.channels), np.float32))

    @classmethod
    def load(
        cls,
        folder: Path,
        variants: Sequence[str] | None = None,
        encoder: Encoder | None = None,
        stage: str | None = None,
    ) -> "Captioner":
        """The decoders of a checkpoints folder, all or some, with the encoder that they were trained with."""
        return cls.of(load_all(Path(folder), tuple(variants) if variants else None, stage), encoder, Path(folder))

    @classmethod
    def of(cls, checkpoints: dict[str, Checkpoint], encoder: Encoder | None = None, near: Path | None = None) -> "Captioner":
        """The decoders of these checkpoints; an encoder that is there already is taken when it is the right one.

        `near` is the folder that they lie in: an adapted encoder is looked for beside them.
        """
        mark = next(iter(checkpoints.values())).encoder
        encoder = encoder or load_encoder(mark.name, near=near)
        if EncoderMark.of(encoder) != mark:
            raise CheckpointError(
                f"The decoders were trained with the encoder {mark.name} ({mark.fingerprint}), "
                f"but this one is {encoder.name} ({encoder.fingerprint}); use the encoder that they were trained with."
            )
        return cls(encoder, checkpoints)

    @property
    def stage(self) -> str:
        """The stage of training that all of the decoders have gone through last."""
        return next(iter(self.checkpoints.values())).stage

    @property
    def variants(self) -> tuple[str, ...]:
        return tuple(self._decoders)

    def encode(self, pictures: Sequence[np.ndarray]) -> np.ndarray:
        """Checked pictures of any size, uint8 (height, width, 3), to features (pictures, regions, channels)."""
        return self.encoder.encode(np.stack([resize(picture, self.encoder.size) for picture in pictures]))

    def caption(
        self, pictures: Sequence[np.ndarray], config: SearchConfig = SearchConfig(), variants: Sequence[str] | None = None
    ) -> list[dict[str, list[Caption]]]:
        """For each picture the captions of each decoder, best first; the decoders work side by side."""
        return self.caption_features(self.encode(pictures), config, variants) if len(pictures) else []

    def caption_features(
        self,
        features: np.ndarray,
        config: SearchConfig = SearchConfig(),
        variants: Sequence[str] | None = None,
        beginning: Sequence[str] = (),
    ) -> list[dict[str, list[Caption]]]:
        """The same for features (pictures, regions, channels) that are there already, in any float type.

        With a `beginning` every caption starts with these words, and the decoders go on from there.
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
        """How likely each decoder finds these words for one picture's features (regions, channels), and its own choices.

        A word that the vocabulary lacks is judged as the unknown word, which stands for all such words together.
        """
        ids = self.vocabulary.encode(words) + [END] * finished
        features = features.astype(np.float32, copy=False)[None]

        def judge(name: str) -> Caption:
            start = time.perf_counter()
            found = self._decoders[name].follow(features, ids)
            return self._caption(name, found, (time.perf_counter() - start) * 1000)

        names = self._names(variants)
        return dict(zip(names, self._pool.map(judge, names), strict=True))

    def tree(
        self, features: np.ndarray, variant: str, config: SearchConfig, beginning: Sequence[str] = ()
    ) -> tuple[list[Candidate], list[int]]:
        """All that one decoder's search considered for one picture's features, and the way to its best caption."""
        self._names((variant,))
        trace, features = Trace(), features.astype(np.float32, copy=False)[None]
        best = self._decoders[variant].search(features, config, self.vocabulary.encode(beginning), trace)[0][0]
        return trace.candidates, trace.find(best.ids + (END,) * best.finished)

    def _names(self, variants: Sequence[str] | None) -> tuple[str, ...]:
        names = tuple(variants) if variants else self.variants
        for name in names:
            if name not in self._decoders:
                raise ConfigError(f"There is no decoder '{name}' here; choose among {', '.join(self.variants)}.")
        return names

    def _captions(
        self, variant: str, features: np.ndarray, config: SearchConfig, prefix: Sequence[int]
    ) -> list[list[Caption]]:
        start = time.perf_counter()
        found = self._decoders[variant].search(features, config, prefix)
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
