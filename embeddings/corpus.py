"""Text to train word vectors on: the lines of a file, and the settings and checks that both trainers share.

Splitting lines into words is left to the caller.
"""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from embeddings.errors import EmbeddingError
from embeddings.files import open_stream

MAXIMUM_LINE = 2**20
# Subsampling of frequent words, the same for both trainers. At 1e-4 frozen vectors lose the grammar of "a" and "in".
SUBSAMPLING = 1e-3
_GAP = re.compile(r"[\s\0]")


@dataclass(frozen=True)
class SkipGram:
    """Settings of skip-gram training with negative sampling; only FastText uses `buckets`."""

    dimensions: int = 300
    window: int = 5
    epochs: int = 10
    negatives: int = 10
    minimum_count: int = 2
    buckets: int = 20_000
    seed: int = 1

    def check(self, sentences: Sequence[Sequence[str]]) -> None:
        """Reject settings and sentences that a trainer would fail on with an error of its own."""
        for name, value in asdict(self).items():
            if value < 1 and name != "seed":
                raise EmbeddingError(f"The setting {name} of the word vectors must be 1 or more, but is {value}.")
        if not 0 <= self.seed < 2**31:
            raise EmbeddingError(f"The seed must be a whole number from 0 to {2**31 - 1}, but is {self.seed}.")
        counts = Counter(word for sentence in sentences for word in sentence)
        if max(counts.values(), default=0) < self.minimum_count:
            raise EmbeddingError(
                f"No word occurs {self.minimum_count} times in the {len(sentences)} sentences; add text or lower minimum_count."
            )
        torn = next((word for word in counts if not word or _GAP.search(word)), None)
        if torn is not None:
            raise EmbeddingError(f"{torn!r} is not one word; split the text into words without spaces before training.")

    def source(self, method: str, sentences: Sequence[Sequence[str]]) -> str:
        """The sentence that a table keeps about the origin of its vectors."""
        settings = f"window {self.window}, {self.epochs} epochs and seed {self.seed}"
        return f"{method} (skip-gram), trained on {len(sentences):,} sentences with {settings}."


def read_lines(path: str | Path) -> Iterator[str]:
    """The lines of a UTF-8 text file, gzip-compressed or not, without line endings."""
    with open_stream(path) as stream:
        number = 0
        while line := stream.readline(MAXIMUM_LINE):
            number += 1
            if len(line) == MAXIMUM_LINE:
                raise EmbeddingError(f"Line {number} of {path} is longer than a million bytes; put one sentence on each line.")
            try:
                yield line.decode("utf-8-sig" if number == 1 else "utf-8").rstrip("\r\n")
            except UnicodeDecodeError as error:
                raise EmbeddingError(f"Line {number} of {path} is not UTF-8 text; save the file as UTF-8.") from error
