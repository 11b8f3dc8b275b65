"""`Subwords`: vectors of unseen words, composed from FastText's character n-grams without FastText itself.

`fasttext` trains or reads the n-grams.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from embeddings.errors import EmbeddingError
from embeddings.files import read_tensors
from embeddings.table import Placement, checked_placement

SUBWORDS_FILE = "subwords.safetensors"
MAXIMUM_BYTES = 24 * 2**20
_FNV_OFFSET, _FNV_PRIME, _WORD_BITS = 2166136261, 16777619, 0xFFFFFFFF


@dataclass(frozen=True)
class Pieces:
    """How FastText splits a word into n-grams: the number of buckets, and the shortest and longest n-gram."""

    buckets: int
    shortest: int
    longest: int

    def of(self, word: str) -> Iterator[tuple[str, int]]:
        """Every n-gram of `<word>` with its 32-bit hash, in FastText's order."""
        characters = f"<{word}>"
        for start in range(len(characters)):
            code = _FNV_OFFSET
            for end in range(start + 1, min(start + self.longest, len(characters)) + 1):
                code = _hash_on(code, characters[end - 1])
                length = end - start
                # FastText leaves out a bracket on its own, which says nothing about the word.
                if length >= self.shortest and not (length == 1 and (start == 0 or end == len(characters))):
                    yield characters[start:end], code

    def rows(self, word: str) -> list[int]:
        """The bucket of each n-gram of the word."""
        return [code % self.buckets for _, code in self.of(word)] if self.buckets else []


def _hash_on(code: int, character: str) -> int:
    for byte in character.encode("utf-8", "surrogatepass"):
        # FNV-1a, except that FastText widens bytes as signed numbers.
        code = ((code ^ (byte if byte < 128 else byte | 0xFFFFFF00)) * _FNV_PRIME) & _WORD_BITS
    return code


@dataclass(frozen=True, eq=False)
class Subwords:
    """The vectors of n-grams. `buckets` lists, in order, those that were stored."""

    pieces: Pieces
    vectors: np.ndarray  # (kept buckets, dimensions)
    buckets: np.ndarray  # (kept buckets,)
    seen: np.ndarray  # the sorted hashes of the n-grams that occurred in training
    placement: Placement

    @property
    def dimensions(self) -> int:
        return self.vectors.shape[1]

    def ngrams(self, word: str) -> list[str]:
        """The n-grams of a word, as FastText makes them."""
        return [ngram for ngram, _ in self.pieces.of(word)]

    def known_ngrams(self, word: str) -> list[str]:
        """The n-grams of a word that occurred in the training text, so that their vectors have a meaning."""
        return [ngram for ngram, code in self.pieces.of(word) if self._position(self.seen, code) is not None]

    def vector(self, word: str) -> np.ndarray:
        """The mean of the n-grams' vectors, in the space of the table."""
        rows = [row for bucket in self.pieces.rows(word) if (row := self._position(self.buckets, bucket)) is not None]
        if not rows:
            raise EmbeddingError(f"FastText has no n-gram of '{word}' to compose a vector from; try a longer word.")
        return self.placement.place(self.vectors[rows].astype(np.float32).mean(0))

    def placed(self, placement: Placement) -> "Subwords":
        """The same n-grams in the space of the table with this placement."""
        return replace(self, placement=placement)

    @staticmethod
    def _position(numbers: np.ndarray, number: int) -> int | None:
        place = int(np.searchsorted(numbers, number))
        return place if place < len(numbers) and numbers[place] == number else None

    def to_bytes(self) -> bytes:
        """One safetensors file; vectors are stored as float16."""
        from safetensors.numpy import save

        return save(
            {
                "vectors": self.vectors.astype(np.float16),
                "buckets": self.buckets.astype(np.int32),
                "seen": self.seen.astype(np.uint32),
                "pieces": np.array([self.pieces.buckets, self.pieces.shortest, self.pieces.longest], np.int64),
                "offset": np.asarray(self.placement.offset, np.float32),
                "factor": np.array([self.placement.factor], np.float64),
            }
        )

    @classmethod
    def from_bytes(cls, data: bytes, name: str = SUBWORDS_FILE) -> "Subwords":
        """Read what `to_bytes` wrote; nothing in it is trusted."""
        kinds = {"vectors": ("float16", 2), "buckets": ("int32", 1), "seen": ("uint32", 1)}
        kinds |= {"pieces": ("int64", 1), "offset": ("float32", 1), "factor": ("float64", 1)}
        tensors = read_tensors(data, kinds, name)
        vectors, buckets, seen, numbers = (tensors[key] for key in ("vectors", "buckets", "seen", "pieces"))
        if numbers.size != 3 or tensors["factor"].size != 1:
            raise EmbeddingError(f"{name} does not say how it splits words; the file is damaged, save it again.")
        pieces = Pieces(*(int(number) for number in numbers))
        fits = 1 <= pieces.shortest <= pieces.longest <= 100 and len(buckets) == len(vectors) > 0
        sorted_rows = fits and 0 <= buckets[0] <= buckets[-1] < pieces.buckets and (np.diff(buckets) > 0).all()
        if not sorted_rows or not (seen[1:] > seen[:-1]).all() or not np.isfinite(vectors).all():
            raise EmbeddingError(f"The n-grams in {name} do not fit together; the file is damaged, save it again.")
        placement = checked_placement(tensors["offset"], float(tensors["factor"][0]), vectors, name)
        return cls(pieces, vectors, buckets, seen, placement)


def keep(pieces: Pieces, vectors: np.ndarray, words: Iterable[str], maximum_bytes: int = MAXIMUM_BYTES) -> Subwords:
    """Choose the buckets to store: all if they fit, otherwise those that these words use most."""
    codes = Counter(code for word in words for _, code in pieces.of(word))
    rows = max(1, maximum_bytes // (2 * vectors.shape[1] + 4))
    buckets = range(len(vectors)) if len(vectors) <= rows else _most_used(codes, pieces.buckets, rows)
    kept = np.asarray(buckets, np.int32)
    whole = set(buckets)
    seen = np.array(sorted(code for code in codes if code % pieces.buckets in whole), np.uint32)
    offset = np.zeros(vectors.shape[1], np.float32)
    with np.errstate(over="ignore"):
        rounded = np.asarray(vectors[kept]).astype(np.float16)
    if not np.isfinite(rounded).all():
        raise EmbeddingError("FastText's n-gram vectors are not finite; train or download the vectors again.")
    return Subwords(pieces, rounded, kept, seen, Placement(offset, 1.0))


def _most_used(codes: Counter[int], buckets: int, rows: int) -> Sequence[int]:
    uses: Counter[int] = Counter()
    for code, count in codes.items():
        uses[code % buckets] += count
    return sorted(bucket for bucket, _ in uses.most_common(rows))
