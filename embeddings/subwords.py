"""`Subwords`: vectors for words never seen, composed of the pieces that FastText learned, without FastText itself.

Training or reading the pieces is left to `fasttext`.
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
    """How FastText cuts a word into pieces: the number of buckets, and the least and the most characters of a piece."""

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
                # A lone bracket says nothing about the word, so FastText leaves it out.
                if length >= self.shortest and not (length == 1 and (start == 0 or end == len(characters))):
                    yield characters[start:end], code

    def rows(self, word: str) -> list[int]:
        """The buckets that the word's pieces fall into, one for each piece."""
        return [code % self.buckets for _, code in self.of(word)] if self.buckets else []


def _hash_on(code: int, character: str) -> int:
    for byte in character.encode("utf-8", "surrogatepass"):
        # FNV-1a, except that FastText widens bytes as signed numbers, and so must we.
        code = ((code ^ (byte if byte < 128 else byte | 0xFFFFFF00)) * _FNV_PRIME) & _WORD_BITS
    return code


@dataclass(frozen=True, eq=False)
class Subwords:
    """The pieces' vectors. Where there were too many to store, `buckets` lists the ones that were kept, in order."""

    pieces: Pieces
    vectors: np.ndarray  # (kept buckets, dimensions)
    buckets: np.ndarray  # (kept buckets,)
    seen: np.ndarray  # the sorted hashes of the pieces that occurred in training
    placement: Placement

    @property
    def dimensions(self) -> int:
        return self.vectors.shape[1]

    def ngrams(self, word: str) -> list[str]:
        """The pieces of a word, as FastText cuts them."""
        return [ngram for ngram, _ in self.pieces.of(word)]

    def known_ngrams(self, word: str) -> list[str]:
        """Those of the pieces that occurred in a word of the training text, so that their vectors mean something."""
        return [ngram for ngram, code in self.pieces.of(word) if self._position(self.seen, code) is not None]

    def vector(self, word: str) -> np.ndarray:
        """The mean of the pieces' vectors, in the space of the table."""
        rows = [row for bucket in self.pieces.rows(word) if (row := self._position(self.buckets, bucket)) is not None]
        if not rows:
            raise EmbeddingError(f"FastText has no piece of '{word}' to compose a vector of; try a longer word.")
        return self.placement.place(self.vectors[rows].astype(np.float32).mean(0))

    def placed(self, placement: Placement) -> "Subwords":
        """The same pieces in the space of the table that has this placement."""
        return replace(self, placement=placement)

    @staticmethod
    def _position(numbers: np.ndarray, number: int) -> int | None:
        place = int(np.searchsorted(numbers, number))
        return place if place < len(numbers) and numbers[place] == number else None

    def to_bytes(self) -> bytes:
        """One safetensors file; the vectors are stored with 16 bits a number."""
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
        """Read back what `to_bytes` made, trusting none of it."""
        kinds = {"vectors": ("float16", 2), "buckets": ("int32", 1), "seen": ("uint32", 1)}
        kinds |= {"pieces": ("int64", 1), "offset": ("float32", 1), "factor": ("float64", 1)}
        tensors = read_tensors(data, kinds, name)
        vectors, buckets, seen, numbers = (tensors[key] for key in ("vectors", "buckets", "seen", "pieces"))
        if numbers.size != 3 or tensors["factor"].size != 1:
            raise EmbeddingError(f"{name} does not say how it cuts words into pieces; the file is damaged, save it again.")
        pieces = Pieces(*(int(number) for number in numbers))
        fits = 1 <= pieces.shortest <= pieces.longest <= 100 and len(buckets) == len(vectors) > 0
        sorted_rows = fits and 0 <= buckets[0] <= buckets[-1] < pieces.buckets and (np.diff(buckets) > 0).all()
        if not sorted_rows or not (seen[1:] > seen[:-1]).all() or not np.isfinite(vectors).all():
            raise EmbeddingError(f"The pieces of words in {name} do not fit together; the file is damaged, save it again.")
        placement = checked_placement(tensors["offset"], float(tensors["factor"][0]), vectors, name)
        return cls(pieces, vectors, buckets, seen, placement)


def keep(pieces: Pieces, vectors: np.ndarray, words: Iterable[str], maximum_bytes: int = MAXIMUM_BYTES) -> Subwords:
    """Choose what to store of all the buckets' vectors: everything if it fits, else the buckets that these words use most."""
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
        raise EmbeddingError("FastText's vectors of pieces of words are not finite numbers; train or fetch the vectors again.")
    return Subwords(pieces, rounded, kept, seen, Placement(offset, 1.0))


def _most_used(codes: Counter[int], buckets: int, rows: int) -> Sequence[int]:
    uses: Counter[int] = Counter()
    for code, count in codes.items():
        uses[code % buckets] += count
    return sorted(bucket for bucket, _ in uses.most_common(rows))
