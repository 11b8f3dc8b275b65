"""The word table that each kind of decoder starts with: random, trained on text, or read from finished vectors.

Collecting the words and the text is left to `captioner.training.run_inputs`.
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from captioner.config import Preset, find_variant
from captioner.vision.nouns import nouns
from captioner.vocabulary import SPECIAL_WORDS
from embeddings.corpus import SkipGram
from embeddings.files import find_file
from embeddings.table import EmbeddingTable, build_table, learned_start

Table = tuple[EmbeddingTable, dict[str, bytes]]  # the table, and files that belong to it
Text = Callable[[bool], list[list[str]]]

# The method of the variants whose vectors come from text, and whether that text is the training captions alone.
_METHODS = {
    "word2vec": ("word2vec", False),
    "word2vec-start": ("word2vec", False),
    "word2vec-captions": ("word2vec", True),
    "fasttext": ("fasttext", False),
    "fasttext-captions": ("fasttext", True),
}
# Frozen vectors are always trained with seed 1, so that decoders of several seeds differ in the decoder alone. A run's own
# seed draws the rows that no source has.
_FROZEN_SEED = 1


@dataclass(frozen=True)
class Sources:
    """Where frozen vectors come from: extra text to train on, or files of finished vectors."""

    corpus: tuple[Path, ...] = ()
    word2vec: Path | None = None
    fasttext: Path | None = None

    def marks(self) -> list[tuple[str, str, int]]:
        """The role, name and size of every file, which identify it without reading it."""
        roles = [("corpus", path) for path in self.corpus] + [("word2vec", self.word2vec), ("fasttext", self.fasttext)]
        return [(role, path.name, find_file(path).stat().st_size) for role, path in roles if path]

    def used_by(self, variant: str) -> list[tuple[str, Path]]:
        """The files that a variant's table is made of, each with its role."""
        method, captions_only = _METHODS.get(variant, ("", True))
        if captions_only:
            return []
        finished = getattr(self, method)
        return [(method, finished)] if finished else [("corpus", path) for path in self.corpus]


def starting_table(words: tuple[str, ...], preset: Preset, sources: Sources, text: Text, variant: str, seed: int) -> Table:
    """The word table that a variant starts with; `text` gives the training captions alone if called with True.

    A frozen table has rows for words in slots as well, after the vocabulary's.
    """
    decoder = preset.decoder
    if variant in _METHODS:
        method, captions_only = _METHODS[variant]
        extra = _beyond(words) if decoder.word_slots and find_variant(variant).frozen else ()
        vectors = _from_text((*words, *extra), preset, sources, text, method, captions_only)
        words += tuple(noun for noun in extra if vectors.lookup(noun) is not None)
        table = build_table(words, SPECIAL_WORDS, vectors.lookup, decoder.row_scale, seed, vectors.source)
        subwords = getattr(vectors, "subwords", None)  # FastText's
        return table, {"subwords.safetensors": subwords.placed(table.placement).to_bytes()} if subwords else {}
    if variant == "random":  # Frozen, too: its rows for slots mean nothing, but they can be copied.
        own = (*words, *(_beyond(words) if decoder.word_slots else ()))
        return _marked_random(learned_start(own, decoder.embedding_dimensions, decoder.row_scale, seed), seed), {}
    return learned_start(words, decoder.embedding_dimensions, decoder.row_scale, seed), {}


def _beyond(words: tuple[str, ...]) -> tuple[str, ...]:
    """The nouns that can stand in a slot and are not in the vocabulary."""
    known = set(words)
    return tuple(noun for noun in nouns().words if noun not in known)


def _marked_random(table: EmbeddingTable, seed: int) -> EmbeddingTable:
    """The same rows as a table that stays as it is and knows no word."""
    origins = tuple("special" if word in SPECIAL_WORDS else "missing" for word in table.words)
    return replace(table, origins=origins, source=f"Random rows from seed {seed}, which stay as they are.")


def _from_text(words: tuple[str, ...], preset: Preset, sources: Sources, text: Text, method: str, captions_only: bool) -> Any:
    """Finished vectors, or else vectors trained here."""
    from embeddings import fasttext, word2vec

    library = {"word2vec": word2vec, "fasttext": fasttext}[method]
    if not captions_only and (finished := getattr(sources, method)):
        return library.read(finished, set(words))
    dimensions = preset.decoder.embedding_dimensions
    return library.train(text(captions_only), SkipGram(dimensions=dimensions, seed=_FROZEN_SEED, **asdict(preset.embedding)))
