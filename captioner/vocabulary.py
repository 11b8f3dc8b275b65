"""Words and their numbers: tokenizing captions, choosing the words to keep, and a fingerprint of the list."""

import hashlib
import json
import re
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import cached_property

from captioner.errors import VocabularyError

PADDING, START, END, UNKNOWN = 0, 1, 2, 3
SPECIAL_WORDS = ("<pad>", "<start>", "<end>", "<unk>")
END_WORD = SPECIAL_WORDS[END]

_WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)*|[&#]")


def tokenize(text: str) -> list[str]:
    """Split a caption into lower-case words without punctuation and apostrophes.

    The signs & and # are read aloud, so they are words, as in published scores on Flickr8k.

    >>> tokenize("A man's black & white dog -- it runs!")
    ['a', 'mans', 'black', '&', 'white', 'dog', 'it', 'runs']
    """
    words = _WORD.findall(text.lower())
    if "'" in text or "’" in text:
        words = [re.sub("['’]", "", word) for word in words]
    return list(map(sys.intern, words))  # The millions of words of a large data set repeat a few thousand.


class Vocabulary:
    """An immutable list of words, four special ones first; a word's number is its index."""

    def __init__(self, words: Sequence[str]):
        self.words = tuple(words)
        if self.words[: len(SPECIAL_WORDS)] != SPECIAL_WORDS:
            raise VocabularyError(
                f"A vocabulary starts with {' '.join(SPECIAL_WORDS)}, but this one starts with "
                f"{' '.join(map(str, self.words[:4])) or 'nothing'}; rebuild it from the training captions."
            )
        self._ids = {word: number for number, word in enumerate(self.words)}
        if len(self._ids) != len(self.words):
            twice = [word for word, count in Counter(self.words).items() if count > 1]
            raise VocabularyError(f"The vocabulary contains '{twice[0]}' twice; each word may occur once.")

    @classmethod
    def build(cls, captions: Iterable[Sequence[str]], minimum_count: int) -> "Vocabulary":
        """Keep words with at least `minimum_count` occurrences, commonest first, ties in alphabetical order."""
        counts = Counter(word for caption in captions for word in caption)
        kept = [word for word, count in counts.items() if count >= minimum_count]
        if not kept:
            raise VocabularyError(
                f"No word occurs {minimum_count} times in the training captions, so there is nothing to learn; "
                "give more captions or lower the setting minimum_count."
            )
        return cls(SPECIAL_WORDS + tuple(sorted(kept, key=lambda word: (-counts[word], word))))

    def __len__(self) -> int:
        return len(self.words)

    def __contains__(self, word: str) -> bool:
        return word in self._ids

    def id(self, word: str) -> int:
        """The number of a word, or of the unknown word if it is out of vocabulary."""
        return self._ids.get(word, UNKNOWN)

    def encode(self, words: Iterable[str]) -> list[int]:
        return [self.id(word) for word in words]

    def decode(self, ids: Iterable[int]) -> list[str]:
        return [self.words[number] for number in ids]

    @cached_property
    def fingerprint(self) -> str:
        """A short hash of the list: with equal fingerprints, every number means the same word."""
        return hashlib.sha256(json.dumps(self.words).encode()).hexdigest()[:16]
