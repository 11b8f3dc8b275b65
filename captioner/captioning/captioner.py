"""The Captioner: photographs in, captions of every decoder out, with word probabilities and attention maps.

A photograph is encoded once for all decoders. Files are read by `captioner.data.images`; beam search is in
`captioner.captioning.beam_search`.
"""

import copy
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import numpy as np
from threadpoolctl import threadpool_limits

from captioner.captioning.beam_search import FORBIDDEN, follow, follow_each, next_word, rate, search
from captioner.captioning.caption import Caption
from captioner.captioning.forced_search import force
from captioner.captioning.hypotheses import Hypothesis
from captioner.captioning.numpy_decoder import NumpyDecoder, Session
from captioner.captioning.search_trace import Candidate, Trace
from captioner.captioning.seen_words import SeenWord, SlotReader, told_words, words_seen
from captioner.config import SearchConfig, find_variant
from captioner.data.images import resize
from captioner.errors import CheckpointError, ConfigError
from captioner.model.checkpoints import Checkpoint, EncoderMark, load_all
from captioner.model.word_slots import WordSlots
from captioner.vision.encoder import Encoder, Seen
from captioner.vision.encoders import load_encoder
from captioner.vision.keras_applications import APPLICATIONS, START_WITH
from captioner.vocabulary import END, Vocabulary
from embeddings.table import EmbeddingTable


class Captioner:
    """One encoder and its decoders. Safe to share between threads: nothing changes between calls."""

    def __init__(self, encoder: Encoder, checkpoints: dict[str, Checkpoint]):
        self.encoder, self.checkpoints = encoder, checkpoints
        self.vocabulary: Vocabulary = next(iter(checkpoints.values())).vocabulary
        # Each decoder runs in its own thread; BLAS threads would compete for the same cores.
        self._limits = threadpool_limits(1, "blas")
        self._pool = ThreadPoolExecutor(len(checkpoints), thread_name_prefix="decoder")
        self.decoders = dict(zip(checkpoints, self._pool.map(NumpyDecoder.of, checkpoints.values()), strict=True))
        self._readers = {name: SlotReader(checkpoint) for name, checkpoint in checkpoints.items()}
        self._config = next(iter(checkpoints.values())).preset.decoder

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

    def with_tables(self, tables: Mapping[str, EmbeddingTable]) -> "Captioner":
        """The same decoders, some of them, by variant, with other vectors of the same words; nothing is loaded again.

        What FastText composes of pieces stays as it was.
        """
        other = copy.copy(self)
        other.checkpoints, other.decoders, other._readers = dict(self.checkpoints), dict(self.decoders), dict(self._readers)
        self._names(tuple(tables))
        for name, table in tables.items():
            other.checkpoints[name] = self.checkpoints[name].with_table(table)
            other.decoders[name] = self.decoders[name].with_vectors(table.vectors)
            other._readers[name] = self._readers[name].with_table(table)
        return other

    @property
    def stage(self) -> str:
        """The last training stage of the decoders."""
        return next(iter(self.checkpoints.values())).stage

    @property
    def variants(self) -> tuple[str, ...]:
        return tuple(self.decoders)

    @property
    def word_slots(self) -> int:
        return self._config.word_slots

    def see(self, pictures: Sequence[np.ndarray]) -> Seen:
        """Features and classes of checked pictures of any size, uint8 (height, width, 3)."""
        return self.encoder.see(np.stack([resize(picture, self.encoder.size) for picture in pictures]))

    def words_seen(self, seen: Seen, told: Sequence[str] | None = None) -> list[tuple[SeenWord, ...]]:
        """The words of each picture's slots."""
        return words_seen(seen, self._config, told)

    def check_told(self, told: Sequence[str] | None, variants: Sequence[str] | None = None) -> list[str]:
        """Raise a `ConfigError` for words that fit no slot; return a sentence for each decoder that lacks a word's vector."""
        names = self._names(variants)
        return [
            f"{find_variant(name).title} has no vector for '{word}' and captions without it."
            for word in told_words(self._config, told)
            for name in names
            if self._readers[name].vector(word) is None
        ]

    def caption(
        self,
        pictures: Sequence[np.ndarray],
        config: SearchConfig = SearchConfig(),
        variants: Sequence[str] | None = None,
        told: Sequence[str] | None = None,
    ) -> list[dict[str, list[Caption]]]:
        """The captions of each decoder for each picture, best first; the decoders run in parallel."""
        return self.caption_seen(self.see(pictures), config, variants, told=told) if len(pictures) else []

    def caption_seen(
        self,
        seen: Seen,
        config: SearchConfig = SearchConfig(),
        variants: Sequence[str] | None = None,
        beginning: Sequence[str] = (),
        told: Sequence[str] | None = None,
        words: list[tuple[SeenWord, ...]] | None = None,
    ) -> list[dict[str, list[Caption]]]:
        """The same from what the CNN saw, of any float type.

        Every caption starts with the words of `beginning`: a word outside the vocabulary is scored as the unknown word, and
        read by its vector if the decoder has one. `told` words are put into the slots, see `words_seen`, or each picture's
        own `words`.
        """
        if not len(seen.features):
            return []
        names, shown = self._names(variants), _Shown.of(seen, words or self.words_seen(seen, told))
        columns = list(self._pool.map(lambda name: self._captions(name, shown, config, beginning), names))
        return [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]

    def force(
        self,
        seen: Seen,
        word: str,
        config: SearchConfig = SearchConfig(),
        variants: Sequence[str] | None = None,
        told: Sequence[str] | None = None,
    ) -> dict[str, Caption | None]:
        """Each decoder's best caption with a word for one picture; None if it can neither choose the word nor copy it."""
        shown = _Shown.of(seen, self.words_seen(seen, told))

        def find(name: str) -> Caption | None:
            start = time.perf_counter()
            (number,) = self._readers[name].encode([word], shown.words[0])
            if number in FORBIDDEN:
                return None
            session = self._session(name, shown)
            found = force(session.step, session.state, number, config)
            milliseconds = (time.perf_counter() - start) * 1000
            return self._caption(name, found[0], milliseconds, shown.words[0]) if found else None

        names = self._names(variants)
        return dict(zip(names, self._pool.map(find, names), strict=True))

    def follow(
        self,
        seen: Seen,
        words: Sequence[str],
        variants: Sequence[str] | None = None,
        finished: bool = True,
        told: Sequence[str] | None = None,
        by_vector: bool = False,
    ) -> dict[str, Caption]:
        """Score given words for one picture: word probabilities and each decoder's alternatives.

        An out-of-vocabulary word that no slot holds, or that is said again, is read and scored as the unknown word; with
        `by_vector` it is read by its vector if the decoder has one.
        """
        shown = _Shown.of(seen, self.words_seen(seen, told))

        def judge(name: str) -> Caption:
            start = time.perf_counter()
            session = self._session(name, shown, words if by_vector else ())
            ids = self._readers[name].encode(words, shown.words[0]) + [END] * finished
            found = follow(session.step, session.state, ids)
            return self._caption(name, found, (time.perf_counter() - start) * 1000, shown.words[0])

        names = self._names(variants)
        return dict(zip(names, self._pool.map(judge, names), strict=True))

    def rate(self, seen: Seen, sentences: Sequence[Sequence[str]], told: Sequence[str] | None = None) -> dict[str, np.ndarray]:
        """The log-probability of each whole sentence for one picture, by decoder."""
        shown = _Shown.of(seen, self.words_seen(seen, told))

        def judge(name: str) -> np.ndarray:
            session, reader = self._session(name, shown), self._readers[name]
            return rate(session.step, session.state, [reader.encode(words, shown.words[0]) for words in sentences])

        return dict(zip(self.variants, self._pool.map(judge, self.variants), strict=True))

    def follow_each(
        self, seen: Seen, words: Sequence[str], variant: str, slots: tuple[SeenWord, ...] | None = None
    ) -> np.ndarray:
        """The log-probabilities of the words of one caption for every picture, (pictures, words), as `follow` gives them.

        `slots`: the words in the slots of all pictures, in place of their own.
        """
        shown = _Shown.of(seen, self.words_seen(seen) if slots is None else [slots] * len(seen.features))
        captions = np.array([self._readers[variant].encode(words, one) for one in shown.words])
        session = self._session(variant, shown)
        return follow_each(session.step, session.state, captions)

    def next_word(self, seen: Seen, words: Sequence[str], told: Sequence[str] | None = None) -> dict[str, np.ndarray]:
        """Each decoder's probabilities of the word that follows a beginning of one picture's caption, (vocabulary + slots,).

        The beginning is read as `caption_seen` reads it.
        """
        shown = _Shown.of(seen, self.words_seen(seen, told))

        def judge(name: str) -> np.ndarray:
            session = self._session(name, shown, words)
            return next_word(session.step, session.state, self._readers[name].encode(words, shown.words[0]))

        return dict(zip(self.variants, self._pool.map(judge, self.variants), strict=True))

    def tree(
        self, seen: Seen, variant: str, config: SearchConfig, beginning: Sequence[str] = (), told: Sequence[str] | None = None
    ) -> tuple[list[Candidate], list[int]]:
        """Every candidate of one decoder's search for one picture, and the path of the best caption."""
        self._names((variant,))
        trace, shown = Trace(), _Shown.of(seen, self.words_seen(seen, told))
        best = self._search(variant, shown, config, beginning, trace)[0][0]
        return trace.candidates, trace.find(best.ids + (END,) * best.finished)

    def _names(self, variants: Sequence[str] | None) -> tuple[str, ...]:
        names = tuple(variants) if variants else self.variants
        for name in names:
            if name not in self.decoders:
                raise ConfigError(f"There is no decoder '{name}' here; choose among {', '.join(self.variants)}.")
        return names

    def slots(self, variant: str, seen: Seen, told: Sequence[str] | None = None) -> WordSlots | None:
        """The word slots of one decoder, None if it has none."""
        return self._readers[variant].read(self.words_seen(seen, told))

    def session(self, variant: str, seen: Seen, told: Sequence[str] | None = None) -> Session:
        """The steps of one decoder's search."""
        return self._session(variant, _Shown.of(seen, self.words_seen(seen, told)))

    def _session(self, variant: str, shown: "_Shown", beginning: Sequence[str] = ()) -> Session:
        reader = self._readers[variant]
        return self.decoders[variant].session(shown.features, reader.read(shown.words), reader.beyond(beginning))

    def _search(
        self, variant: str, shown: "_Shown", config: SearchConfig, beginning: Sequence[str], trace: Trace | None = None
    ) -> list[list[Hypothesis]]:
        """The hypotheses for each photograph, best first."""
        session = self._session(variant, shown, beginning)
        prefix = [self._readers[variant].encode(beginning, one) for one in shown.words]
        return search(session.step, session.state, len(shown.features), config, prefix=prefix, trace=trace)

    def _captions(self, variant: str, shown: "_Shown", config: SearchConfig, beginning: Sequence[str]) -> list[list[Caption]]:
        start = time.perf_counter()
        found = self._search(variant, shown, config, beginning)
        milliseconds = (time.perf_counter() - start) * 1000 / len(found)
        pairs = zip(found, shown.words, strict=True)
        return [[self._caption(variant, hypothesis, milliseconds, words) for hypothesis in beam] for beam, words in pairs]

    def _caption(self, variant: str, found: Hypothesis, milliseconds: float, seen: Sequence[SeenWord]) -> Caption:
        known = (*self.vocabulary.words, *(word.word for word in seen))  # One outside the vocabulary is numbered by its slot.
        words = tuple(known[number] for number in found.ids)
        alternatives = tuple(tuple((known[number], probability) for number, probability in step) for step in found.alternatives)
        attention, on_slots, copied = self._parts_of(found.attention, len(seen))
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
            words_seen=tuple(seen),
            slot_attention=on_slots,
            copied=copied,
        )

    def _parts_of(self, attention: np.ndarray | None, slots: int) -> tuple[np.ndarray | None, ...]:
        """A step's numbers as attention to the regions, attention to the slots, and the probability of copying each."""
        if attention is None:
            return None, None, None
        regions, count = self.encoder.regions, self.word_slots
        grid = attention[:, :regions].reshape(len(attention), self.encoder.rows, self.encoder.columns)
        if not count:
            return grid, None, None
        on_slots, copied = attention[:, regions : regions + count], attention[:, regions + count :]
        return grid, on_slots[:, :slots], copied[:, :slots]


class _Shown(NamedTuple):
    """Some photographs as the decoders take them."""

    features: np.ndarray  # (photographs, regions, channels)
    words: list[tuple[SeenWord, ...]]

    @classmethod
    def of(cls, seen: Seen, words: list[tuple[SeenWord, ...]]) -> "_Shown":
        return cls(seen.features.astype(np.float32, copy=False), words)
