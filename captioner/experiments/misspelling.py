"""Misspelt words, and how far one moves each decoder's next word: FastText reads its pieces, the others an unknown word."""

from collections.abc import Container, Sequence

import numpy as np

from captioner.captioning.captioner import Captioner
from captioner.errors import ConfigError
from captioner.vision.encoder import Seen

SHORTEST = 6  # letters: a slip leaves most pieces of such a word


def misspellings(word: str) -> tuple[str, ...]:
    """Every slip of the pen in a word: a letter left out, two neighbours exchanged, or a letter doubled.

    The first letter stays, no letter stands three times in a row, and short words have none.

    >>> misspellings("yellow")
    ('yllow', 'yelow', 'yellw', 'yello', 'ylelow', 'yelolw', 'yellwo', 'yeellow', 'yelloow', 'yelloww')
    """
    if len(word) < SHORTEST or not word.isalpha():
        return ()
    places = range(1, len(word))
    left_out = [word[:place] + word[place + 1 :] for place in places]
    exchanged = [word[:place] + word[place + 1] + word[place] + word[place + 2 :] for place in places[:-1]]
    doubled = [word[:place] + word[place] + word[place:] for place in places]
    found = dict.fromkeys([*left_out, *exchanged, *doubled])
    return tuple(slip for slip in found if slip != word and not _has_three_in_a_row(slip))


def misspelt(word: str, known: Container[str], random: np.random.Generator) -> str | None:
    """One of a word's misspellings, none of them a known word; None if it has none."""
    slips = [slip for slip in misspellings(word) if slip not in known]
    return slips[random.integers(len(slips))] if slips else None


def known_words(captioner: Captioner) -> frozenset[str]:
    """Every word that one of the decoders has a row for, in the vocabulary or beyond."""
    return frozenset(word for checkpoint in captioner.checkpoints.values() for word in checkpoint.table.words)


def spelling_effect(captioner: Captioner, seen: Seen, words: Sequence[str], place: int, slip: str) -> dict[str, float]:
    """By decoder, how far the distribution of the next word moves when the word at `place` of a caption is misspelt.

    The photograph and the words before are the same. Total variation, from 0 to 1: the share of the probability that goes
    to other words. Unlike a divergence, it reads as a percentage, and words that are all but impossible count nothing.
    """
    if words[place] not in captioner.vocabulary:
        raise ConfigError(f"The decoders do not know '{words[place]}', however it is spelt; choose a word of their vocabulary.")
    before = tuple(words[:place])
    right, wrong = (captioner.next_word(seen, (*before, word)) for word in (words[place], slip))
    return {name: float(np.abs(right[name] - wrong[name]).sum()) / 2 for name in captioner.variants}


def _has_three_in_a_row(word: str) -> bool:
    return any(one == two == three for one, two, three in zip(word, word[1:], word[2:], strict=False))
