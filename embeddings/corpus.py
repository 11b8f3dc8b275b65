"""Plain text to train vectors on: lines out of a file, and the checks that training needs before it starts.

Cutting lines into words is left to the caller.
"""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from embeddings.errors import EmbeddingError
from embeddings.files import open_stream

MAXIMUM_LINE = 2**20
# How much common words are thinned out, the same for both trainers. More (1e-4) costs frozen vectors the grammar of "a" and "in".
SUBSAMPLING = 1e-3
_GAP = re.compile(r"[\s\0]")


def read_lines(path: str | Path) -> Iterator[str]:
    """The lines of a UTF-8 text file, packed with gzip or not, without their ends."""
    with open_stream(path) as stream:
        number = 0
        while line := stream.readline(MAXIMUM_LINE):
            number += 1
            if len(line) == MAXIMUM_LINE:
                raise EmbeddingError(
                    f"Line {number} of {path} is longer than a million bytes; "
                    "give a text with one sentence a line."
                )
            try:
                yield line.decode("utf-8-sig" if number == 1 else "utf-8").rstrip("\r\n")
            except UnicodeDecodeError as error:
                raise EmbeddingError(f"Line {number} of {path} is not UTF-8 text; save the file as UTF-8.") from error


def check_training(sentences: Sequence[Sequence[str]], minimum_count: int, seed: int, **settings: int) -> None:
    """Refuse what no trainer could learn from, before it answers with an error of its own."""
    for name, value in {"minimum_count": minimum_count, **settings}.items():
        if value < 1:
            raise EmbeddingError(f"The setting {name} of the word vectors must be 1 or more, but is {value}.")
    if not 0 <= seed < 2**31:
        raise EmbeddingError(f"The seed must be a whole number from 0 to {2**31 - 1}, but is {seed}.")
    counts = Counter(word for sentence in sentences for word in sentence)
    if max(counts.values(), default=0) < minimum_count:
        raise EmbeddingError(
            f"No word occurs {minimum_count} times in the {len(sentences)} sentences, so there are no vectors to train; "
            "give more text or lower the setting minimum_count."
        )
    torn = next((word for word in counts if not word or _GAP.search(word)), None)
    if torn is not None:
        raise EmbeddingError(f"{torn!r} is not one word; cut the text into words without spaces before training.")
