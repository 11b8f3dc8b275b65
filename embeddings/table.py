"""`EmbeddingTable`: words in vocabulary order, one read-only matrix, and the origin of each row.

`word2vec` and `fasttext` train and read vectors; `explore` queries a finished table.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from embeddings.errors import EmbeddingError
from embeddings.files import read_bytes, read_object, read_tensors

ORIGINS = ("trained", "subwords", "special", "missing", "learned")
PADDING_WORD = "<pad>"
TENSORS_FILE, FACTS_FILE = "table.safetensors", "table.json"

Lookup = Callable[[str], tuple[np.ndarray, str] | None]


def is_special(word: str) -> bool:
    """Whether a word is in angle brackets, which no word of a text has."""
    return word.startswith("<") and word.endswith(">")


@dataclass(frozen=True, eq=False)
class Placement:
    """The shift and the factor that bring a source's vectors to the scale that the decoder expects."""

    offset: np.ndarray  # (dimensions,)
    factor: float

    def place(self, vectors: np.ndarray) -> np.ndarray:
        return ((vectors - self.offset) * self.factor).astype(np.float32)


@dataclass(frozen=True, eq=False)
class EmbeddingTable:
    """One vector for each word. `source` is a sentence about the origin of the vectors."""

    words: tuple[str, ...]
    vectors: np.ndarray  # (words, dimensions)
    origins: tuple[str, ...]
    source: str
    placement: Placement | None = None
    _rows: dict[str, int] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        words, origins = tuple(self.words), tuple(self.origins)
        _check_words(words, origins)
        vectors = _checked_vectors(self.vectors, words)
        for name, value in (("words", words), ("vectors", vectors), ("origins", origins)):
            object.__setattr__(self, name, value)
        object.__setattr__(self, "_rows", {word: row for row, word in enumerate(words)})

    @property
    def dimensions(self) -> int:
        return self.vectors.shape[1]

    def __len__(self) -> int:
        return len(self.words)

    def __contains__(self, word: object) -> bool:
        return word in self._rows

    def row(self, word: str) -> int:
        if word not in self._rows:
            raise EmbeddingError(f"The table does not know '{word}'; it has a row for each of its {len(self)} words.")
        return self._rows[word]

    def vector(self, word: str) -> np.ndarray:
        return self.vectors[self.row(word)]

    def origin(self, word: str) -> str:
        return self.origins[self.row(word)]

    @cached_property
    def fingerprint(self) -> str:
        """A short hash of the words and vectors; it ties what was computed from a table to that table."""
        content = json.dumps(self.words).encode() + self.vectors.astype("<f4").tobytes()
        return hashlib.sha256(content).hexdigest()[:16]

    def coverage(self) -> dict[str, int]:
        """The number of rows of each origin, including origins without rows."""
        return {origin: self.origins.count(origin) for origin in ORIGINS}

    def to_files(self) -> dict[str, bytes]:
        """The table as file contents: float16 vectors, and everything else as JSON."""
        from safetensors.numpy import save

        tensors = {"vectors": self.vectors.astype(np.float16)}
        facts: dict[str, Any] = {"words": self.words, "origins": self.origins, "source": self.source}
        if self.placement is not None:
            tensors["offset"] = np.asarray(self.placement.offset, np.float32)
            facts["factor"] = float(self.placement.factor)
        return {TENSORS_FILE: save(tensors), FACTS_FILE: json.dumps(facts).encode()}

    @classmethod
    def from_files(cls, files: Mapping[str, bytes]) -> "EmbeddingTable":
        """Read what `to_files` wrote; nothing in it is trusted."""
        for name in (TENSORS_FILE, FACTS_FILE):
            if name not in files:
                raise EmbeddingError(f"A table of word vectors needs two files, but {name} is missing; save the table again.")
        facts = read_object(files[FACTS_FILE], {"words": list, "origins": list, "source": str}, FACTS_FILE)
        placed = "factor" in facts
        kinds = {"vectors": ("float16", 2)} | ({"offset": ("float32", 1)} if placed else {})
        tensors = read_tensors(files[TENSORS_FILE], kinds, TENSORS_FILE)
        placement = checked_placement(tensors["offset"], facts["factor"], tensors["vectors"], TENSORS_FILE) if placed else None
        return cls(facts["words"], tensors["vectors"], facts["origins"], facts["source"], placement)

    @classmethod
    def load(cls, folder: str | Path) -> "EmbeddingTable":
        """Read a table's two files from a folder."""
        return cls.from_files({name: read_bytes(Path(folder) / name) for name in (TENSORS_FILE, FACTS_FILE)})


def build_table(
    words: Sequence[str], special_words: Sequence[str], lookup: Lookup, row_scale: float, seed: int, source: str
) -> EmbeddingTable:
    """Give every word a row: its vector from the source, otherwise a random row of the same scale; padding is zero.

    One `Placement` centres and scales all the source's rows, so that the root mean square of the trained ones is `row_scale`.
    Without centring, the direction that all words share would make them look alike to the decoder.
    Rows are rounded to float16 here, so training uses exactly the table that is stored.
    """
    found = {word: answer for word in words if word not in special_words and (answer := lookup(word)) is not None}
    placement = _fit([vector for vector, origin in found.values() if origin == "trained"], row_scale, source)
    origins = tuple("special" if word in special_words else found[word][1] if word in found else "missing" for word in words)
    vectors = np.zeros((len(words), placement.offset.size), np.float32)  # (words, dimensions)
    random = np.random.default_rng(seed)
    # Special words are drawn first, so that tables of one seed agree on them whatever else they lack.
    for row in sorted(range(len(words)), key=lambda row: origins[row] != "special"):
        if words[row] in found:
            vectors[row] = placement.place(found[words[row]][0])
        elif words[row] != PADDING_WORD:
            vectors[row] = random.normal(0.0, row_scale, placement.offset.size)
    return EmbeddingTable(tuple(words), vectors.astype(np.float16), origins, source, placement)


def learned_start(words: Sequence[str], dimensions: int, row_scale: float, seed: int) -> EmbeddingTable:
    """A table of random rows for training to change; padding is zero."""
    vectors = np.random.default_rng(seed).normal(0.0, row_scale, (len(words), dimensions))  # (words, dimensions)
    vectors[[word == PADDING_WORD for word in words]] = 0.0
    source = f"Random rows of root mean square {row_scale:g} from seed {seed}, to be learned with the decoder."
    return EmbeddingTable(tuple(words), vectors, ("learned",) * len(words), source)


def checked_placement(offset: np.ndarray, factor: Any, vectors: np.ndarray, name: str) -> Placement:
    """A stored placement, checked against its vectors."""
    sound = isinstance(factor, float) and np.isfinite(factor) and np.isfinite(offset).all()
    if not sound or offset.shape != vectors.shape[1:]:
        raise EmbeddingError(f"The shift and factor in {name} do not fit its vectors; the file is damaged, save it again.")
    return Placement(offset, factor)


def _fit(trained: list[np.ndarray], row_scale: float, source: str) -> Placement:
    matrix = np.array(trained, np.float64)
    offset = matrix.mean(0) if len(trained) else np.zeros(matrix.shape[1:])
    size = float(np.sqrt(np.mean((matrix - offset) ** 2))) if len(trained) else 0.0
    if not np.isfinite(size) or size < 1e-12:
        raise EmbeddingError(
            f"Only {len(trained)} of the vocabulary's words have a vector, too few for a table ({source.rstrip('.')}); "
            "train on text with these words, or give a vectors file of the same language."
        )
    # Rounded first, so that the stored placement is exactly the one used.
    return Placement(offset.astype(np.float32), row_scale / size)


def _check_words(words: tuple[str, ...], origins: tuple[str, ...]) -> None:
    wrong = next((word for word in words if not isinstance(word, str) or not word or not _is_text(word)), None)
    if wrong is not None or not words:
        raise EmbeddingError(f"Every row of a table needs a word, but {wrong!r} is none; build the table from a vocabulary.")
    if len(set(words)) != len(words):
        twice = Counter(words).most_common(1)[0][0]
        raise EmbeddingError(f"The table names '{twice}' twice; each word must have one row.")
    if len(origins) != len(words) or not all(origin in ORIGINS for origin in origins):
        raise EmbeddingError(f"Each of {len(words)} words needs an origin out of {', '.join(ORIGINS)}; the table is damaged.")


def _is_text(word: str) -> bool:
    # JSON can contain lone surrogates, which cannot be printed.
    return not any("\ud800" <= character <= "\udfff" for character in word)


def _checked_vectors(vectors: np.ndarray, words: tuple[str, ...]) -> np.ndarray:
    given = np.asarray(vectors)
    if given.ndim != 2 or given.dtype.kind != "f" or given.shape[0] != len(words) or not given.shape[1]:
        received = f"{given.dtype} of shape {given.shape}"
        raise EmbeddingError(f"A table of {len(words)} words needs as many rows of decimal numbers, but got {received}.")
    kept = np.array(given, np.float32)  # (words, dimensions)
    wrong = np.flatnonzero(~np.isfinite(kept).all(1))
    if wrong.size:
        raise EmbeddingError(f"The vector of '{words[wrong[0]]}' is not finite; train or download the vectors again.")
    kept.setflags(write=False)
    return kept
