"""Pseudo-captions: what decoders with word slots write for labelled photographs when told the label, filtered, as a data set.

Labels are read by `captioner.data.labels`, and what a label accepts is left to `captioner.scoring.object_names`.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

from captioner.config import SearchConfig
from captioner.data.dataset_formats import BY_SPLIT, OWN_PHOTOGRAPHS
from captioner.data.labels import Labelled
from captioner.scoring.caption_style import is_cut, says_twice
from captioner.scoring.object_names import accepted, last_words, named, noun_of
from captioner.vision.feature_cache import FeatureCache

if TYPE_CHECKING:
    from captioner.captioning.caption import Caption
    from captioner.captioning.captioner import Captioner

_SHORTEST = 4  # words; a lone noun teaches no sentence


def told(label: str) -> list[str]:
    """The words that a label puts into word slots: the CNN's noun for a class of this name, or the label's own nouns.

    >>> told("espresso"), told("room with chair or grand piano")
    (['coffee'], ['room', 'chair', 'piano'])
    """
    noun = noun_of(label)
    return [noun] if noun else last_words(label)


def write_captions(
    captioner: "Captioner", records: Iterable[Labelled], cache: FeatureCache, config: SearchConfig
) -> Iterator[tuple[Labelled, tuple[str, ...]]]:
    """Photograph after photograph, the different captions of all decoders that are good enough to learn from."""
    by_label = sorted(records, key=lambda record: record.label)
    slots = next(iter(captioner.checkpoints.values())).preset.decoder.word_slots
    for label, group in groupby(by_label, key=lambda record: record.label):
        part = list(group)
        names = accepted(label, noun_of(label))
        found = captioner.caption_seen(cache.seen(part), config, told=told(label)[:slots])
        for record, captions in zip(part, found, strict=True):
            best = (best_first[0] for best_first in captions.values())
            yield record, tuple(dict.fromkeys(caption.text for caption in best if is_good(caption, names)))


def is_good(caption: "Caption", names: set[tuple[str, ...]]) -> bool:
    """Whether a caption is a sentence that names the object, ends, and says no content word twice."""
    whole = caption.finished and len(caption.words) >= _SHORTEST and not is_cut(caption.words)
    return whole and named(caption.text, names) and not says_twice(caption.words)


def save(folder: Path, found: Mapping[Labelled, Sequence[str]]) -> None:
    """Write a data set with a split for training alone, with copies of the photographs."""
    pictures = folder / OWN_PHOTOGRAPHS
    pictures.mkdir(parents=True)
    for record in found:
        (pictures / record.name).write_bytes(record.read())
    lines = (f"{record.name}#{number}\t{text}\n" for record, texts in found.items() for number, text in enumerate(texts))
    (folder / BY_SPLIT.format("train")).write_text("".join(lines), encoding="utf-8")
