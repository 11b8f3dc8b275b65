"""Words that no caption taught, told to the decoders: how often each says them, and whether its sentences stay sound."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

from captioner.captioning.caption import Caption
from captioner.captioning.captioner import Captioner
from captioner.config import SearchConfig
from captioner.experiments.object_naming import is_sound
from captioner.vision.encoder import Seen
from captioner.vision.nouns import nouns


@dataclass(frozen=True)
class Told:
    """One decoder and one word over some photographs: shares of captions, and mean log-probabilities of a word."""

    variant: str
    word: str
    photographs: int
    said: float
    sound: float  # said in a sentence that repeats nothing and has an end
    log_probability: float  # of its captions with the word told
    usual: float  # of its captions of the same photographs without


def untaught(captioner: Captioner) -> list[str]:
    """The CNN's nouns that no decoder here can choose from its vocabulary, though some table has a vector for them."""
    tables = [checkpoint.table for checkpoint in captioner.checkpoints.values()]
    return [noun for noun in nouns().words if noun not in captioner.vocabulary and any(noun in table for table in tables)]


def measure(captioner: Captioner, seen: Seen, words: Sequence[str], config: SearchConfig = SearchConfig()) -> list[Told]:
    """A row for each decoder and word."""
    usual, found = captioner.caption_seen(seen, config), []
    for word in words:
        told = captioner.caption_seen(seen, config, told=[word])
        for variant in captioner.variants:
            own = [captions[variant][0] for captions in told]
            says = [word in caption.words for caption in own]
            found.append(
                Told(
                    variant,
                    word,
                    len(own),
                    fmean(says),
                    fmean(said and is_sound(caption.text) for said, caption in zip(says, own, strict=True)),
                    fmean(map(_per_word, own)),
                    fmean(_per_word(captions[variant][0]) for captions in usual),
                )
            )
    return found


def _per_word(caption: Caption) -> float:
    """The end counts as a word."""
    return caption.log_probability / (len(caption.words) + 1)
