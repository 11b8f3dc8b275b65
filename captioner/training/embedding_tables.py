"""The word table that each kind of decoder starts with: drawn at random, trained on text, or read from finished vectors."""

from collections.abc import Callable
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from captioner.vocabulary import SPECIAL_WORDS
from embeddings.corpus import SkipGram
from embeddings.table import EmbeddingTable, build_table, learned_start

if TYPE_CHECKING:
    from captioner.training.run_inputs import RunInputs, Sources

Table = tuple[EmbeddingTable, dict[str, bytes]]  # the table, and files that belong to it

# Frozen vectors are always trained with seed 1: only then do decoders of several seeds differ in the decoder alone. A run's
# own seed draws the rows that no source has.
_FROZEN_SEED = 1


def _learned(inputs: "RunInputs", seed: int) -> Table:
    decoder = inputs.preset.decoder
    return learned_start(inputs.vocabulary.words, decoder.embedding_dimensions, decoder.row_scale, seed), {}


def _random(inputs: "RunInputs", seed: int) -> Table:
    """As the learned table starts, and no word known; but it stays so."""
    table, _ = _learned(inputs, seed)
    origins = tuple("special" if word in SPECIAL_WORDS else "missing" for word in table.words)
    return replace(table, origins=origins, source=f"Random rows from seed {seed}, which stay as they are."), {}


def _word2vec(inputs: "RunInputs", seed: int, captions_only: bool = False) -> Table:
    from embeddings import word2vec

    file = inputs.sources.word2vec
    if file and not captions_only:
        vectors = word2vec.read(file, set(inputs.vocabulary.words))
    else:
        vectors = word2vec.train(inputs.text(captions_only), _training_settings(inputs))
    return _placed(inputs, vectors.lookup, seed, vectors.source), {}


def _fasttext(inputs: "RunInputs", seed: int, captions_only: bool = False) -> Table:
    from embeddings import fasttext

    file = inputs.sources.fasttext
    if file and not captions_only:
        vectors = fasttext.read(file, set(inputs.vocabulary.words))
    else:
        vectors = fasttext.train(inputs.text(captions_only), _training_settings(inputs))
    table = _placed(inputs, vectors.lookup, seed, vectors.source)
    subwords = vectors.subwords
    return table, {"subwords.safetensors": subwords.placed(table.placement).to_bytes()} if subwords else {}


TABLES: dict[str, Callable[["RunInputs", int], Table]] = {
    "learned": _learned,
    "word2vec": _word2vec,
    "fasttext": _fasttext,
    "random": _random,
    "word2vec-start": _word2vec,
    "word2vec-captions": partial(_word2vec, captions_only=True),
    "fasttext-captions": partial(_fasttext, captions_only=True),
}


_KINDS = {"word2vec": "word2vec", "word2vec-start": "word2vec", "fasttext": "fasttext"}  # of those that look beyond the captions


def files_used(variant: str, sources: "Sources") -> list[tuple[str, Path]]:
    """Which of the files given the table of a variant is made of, each with what it is to it."""
    kind = _KINDS.get(variant)
    finished = getattr(sources, kind) if kind else None
    if finished:
        return [(kind, finished)]
    return [("corpus", path) for path in sources.corpus] if kind else []


def _training_settings(inputs: "RunInputs") -> SkipGram:
    dimensions = inputs.preset.decoder.embedding_dimensions
    return SkipGram(dimensions=dimensions, seed=_FROZEN_SEED, **asdict(inputs.preset.embedding))


def _placed(inputs: "RunInputs", lookup: Callable, seed: int, source: str) -> EmbeddingTable:
    return build_table(
        inputs.vocabulary.words, SPECIAL_WORDS, lookup, inputs.preset.decoder.row_scale, seed, source
    )
