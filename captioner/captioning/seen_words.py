"""The words that a photograph's slots hold: nouns that the CNN recognises, and words that a user tells."""

import copy
from collections.abc import Sequence
from functools import cached_property
from typing import NamedTuple

import numpy as np

from captioner.config import DecoderConfig
from captioner.errors import ConfigError
from captioner.model.checkpoints import Checkpoint
from captioner.model.word_slots import NO_ROW, WordSlots, strongest_nouns
from captioner.vision.encoder import Seen
from captioner.vision.nouns import nouns
from captioner.vocabulary import PADDING, UNKNOWN, tokenize
from embeddings.errors import EmbeddingError
from embeddings.subwords import SUBWORDS_FILE, Subwords
from embeddings.table import EmbeddingTable

_CERTAIN = 1.0  # the probability of a user's word


class SeenWord(NamedTuple):
    """A noun for which there is a slot, with its probability in the picture and in its strongest regions."""

    word: str
    probability: float
    regional: float


def words_seen(seen: Seen, config: DecoderConfig, told: Sequence[str] | None = None) -> list[tuple[SeenWord, ...]]:
    """The words in each picture's slots: the user's words, then the CNN's nouns. An empty word leaves the nouns out."""
    own = [SeenWord(word, _CERTAIN, _CERTAIN) for word in told_words(config, told)]
    if not config.word_slots or any(not text.strip() for text in told or ()):
        return [tuple(own) for _ in seen.features]
    numbers, probabilities = strongest_nouns(seen, config.word_slots, config.slot_floor)
    return [_merged(own, *pair, config.word_slots) for pair in zip(numbers, probabilities, strict=True)]


def told_words(config: DecoderConfig, told: Sequence[str] | None) -> list[str]:
    """Told words as the tables spell them, without the empty one."""
    if told and not config.word_slots:
        raise ConfigError("These decoders have no word slots; leave out the words, or use decoders that have some.")
    words = list(dict.fromkeys(_one_word(text) for text in told or () if text.strip()))
    if len(words) > config.word_slots:
        raise ConfigError(f"These decoders have {config.word_slots} word slots, but received {len(words)} words; give fewer.")
    return words


def _one_word(text: str) -> str:
    if len(words := tokenize(text)) != 1:
        raise ConfigError(f"A slot holds one word, but received {text!r}; give several words one by one.")
    return words[0]


def _merged(own: Sequence[SeenWord], numbers: np.ndarray, probabilities: np.ndarray, count: int) -> tuple[SeenWord, ...]:
    """Told words, and then nouns by number, -1 for none, that are not among them."""
    pairs = zip(numbers.tolist(), probabilities.tolist(), strict=True)
    found = [SeenWord(nouns().words[number], *pair) for number, pair in pairs if number >= 0]
    told = {word.word for word in own}
    return (*own, *(word for word in found if word.word not in told))[:count]


class SlotReader:
    """Finds the vectors of words for one decoder's slots: rows of its table, or what FastText composes of pieces.

    Training has neither told words nor composed vectors, and finds rows by the nouns' numbers alone: `SlotFinder`.
    """

    def __init__(self, checkpoint: Checkpoint):
        self._table, self._subwords = checkpoint.table, checkpoint.extra.get(SUBWORDS_FILE)
        self._slots, self._vocabulary = checkpoint.preset.decoder.word_slots, checkpoint.vocabulary

    def with_table(self, table: EmbeddingTable) -> "SlotReader":
        """The same with another table; what FastText composes of pieces stays."""
        other = copy.copy(self)
        other._table = table
        return other

    @cached_property
    def _pieces(self) -> Subwords | None:
        return Subwords.from_bytes(self._subwords) if self._subwords else None

    def vector(self, word: str) -> np.ndarray | None:
        """A word's vector, (dimensions,), None if this decoder has none."""
        if word in self._table:
            return self._table.vector(word)
        try:
            return self._pieces.vector(word) if self._pieces else None
        except EmbeddingError:
            return None

    def encode(self, caption: Sequence[str], seen: Sequence[SeenWord]) -> list[int]:
        """The numbers of a picture's words: outside the vocabulary, that of its slot after all others; it is copied once."""
        words = enumerate((one.word for one in seen), len(self._vocabulary))
        own = {word: number for number, word in words if word not in self._vocabulary and self.vector(word) is not None}
        return [self._vocabulary.id(word) if word in self._vocabulary else own.pop(word, UNKNOWN) for word in caption]

    def beyond(self, caption: Sequence[str]) -> dict[int, np.ndarray]:
        """The vectors, by place, of a caption's words that are outside the vocabulary, where this decoder has one."""
        strange = {place: word for place, word in enumerate(caption) if word not in self._vocabulary}
        return {place: vector for place, word in strange.items() if (vector := self.vector(word)) is not None}

    def read(self, words: Sequence[Sequence[SeenWord]]) -> WordSlots | None:
        """The slots of some pictures; words without a vector leave theirs empty."""
        if not self._slots:
            return None
        rows = np.full((len(words), self._slots), PADDING, np.int32)
        probabilities = np.zeros((*rows.shape, 2), np.float32)
        composed: dict[tuple[int, int], np.ndarray] = {}
        for picture, seen in enumerate(words):
            for slot, word in enumerate(seen):
                probabilities[picture, slot] = word[1:]
                if word.word in self._table:
                    rows[picture, slot] = self._table.row(word.word)
                elif (vector := self.vector(word.word)) is not None:
                    rows[picture, slot] = NO_ROW
                    composed[picture, slot] = vector
        return WordSlots.of(rows, probabilities, self._with(composed, rows) if composed else None)

    def _with(self, composed: dict[tuple[int, int], np.ndarray], rows: np.ndarray) -> np.ndarray:
        """The vectors of all slots, (pictures, slots, dimensions)."""
        vectors = self._table.vectors[rows]
        for place, vector in composed.items():
            vectors[place] = vector
        return vectors
