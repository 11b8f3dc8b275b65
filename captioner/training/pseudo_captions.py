"""Pseudo-captions: what decoders with word slots write for labelled photographs when told the label, filtered, as a data set.

The data set's folder also keeps everything that the decoders wrote, in the form of `caption --out`, so that an interrupted
command continues and another filter needs no new captions. Labels are read by `captioner.data.labels`, and what a label accepts
is left to `captioner.scoring.object_names`.
"""

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from captioner.captioning.bulk import entry
from captioner.captioning.listing import Entry, Listing, read_done
from captioner.config import SearchConfig
from captioner.data.dataset_formats import BY_SPLIT, OWN_PHOTOGRAPHS
from captioner.data.labels import Labelled
from captioner.errors import ConfigError
from captioner.scoring.caption_style import is_cut, says_twice
from captioner.scoring.object_names import accepted, last_words, named, noun_of
from captioner.storage import read_as, write_bytes, write_json
from captioner.vision.feature_cache import FeatureCache

if TYPE_CHECKING:
    from captioner.captioning.captioner import Captioner

WRITTEN, HOW = "written.jsonl", "how.json"
_SHORTEST = 4  # words; a lone noun teaches no sentence
_AT_ONCE = 50  # photographs

Chosen = dict[Labelled, list[str]]  # captions by photograph


def told(label: str) -> list[str]:
    """The words that a label puts into word slots: the CNN's noun for a class of this name, or the label's own nouns.

    >>> told("espresso"), told("room with chair or grand piano")
    (['coffee'], ['room', 'chair', 'piano'])
    """
    noun = noun_of(label)
    return [noun] if noun else last_words(label)


def read_written(folder: Path, how: Mapping[str, Any]) -> dict[str, Entry]:
    """The captions in a folder by photograph, none in a new folder; refuse a folder that was not made like this."""
    if not folder.exists():
        return {}
    made = read_as(folder / HOW, dict[str, Any], "give another name") if (folder / HOW).is_file() else {}
    if {name: made.get(name) for name in how} != how:
        raise ConfigError(f"There is a folder {folder} already, from other decoders, labels or settings; give another name.")

    written: dict[str, Entry] = {}

    def keep(found: Entry) -> bool:
        written[found["image"]] = found
        return True

    return {name: written[name] for name in read_done(folder / WRITTEN, keep)}


def write_captions(
    captioner: "Captioner",
    records: Sequence[Labelled],
    cache: FeatureCache,
    config: SearchConfig,
    folder: Path,
    how: Mapping[str, Any],
) -> Iterator[Entry]:
    """Photograph after photograph, what every decoder writes; it is in the folder before it is yielded."""
    write_json(folder / HOW, how)
    with closing(Listing(folder / WRITTEN, resume=True)) as listing:
        for first in range(0, len(records), _AT_ONCE):
            for found in _captioned(captioner, records[first : first + _AT_ONCE], cache, config):
                listing.add(found)
                yield found


def _captioned(captioner: "Captioner", records: Sequence[Labelled], cache: FeatureCache, config: SearchConfig) -> Iterator[Entry]:
    seen, words = cache.seen(records), [told(record.label)[: captioner.word_slots] for record in records]
    slots = [captioner.words_seen(seen.part([place]), own)[0] for place, own in enumerate(words)]
    for record, own, captions in zip(records, words, captioner.caption_seen(seen, config, words=slots), strict=True):
        yield entry(record.name, captions, captioner.stage, 1, own)


def choose(records: Sequence[Labelled], written: Mapping[str, Entry], most: int) -> Chosen:
    """The captions that are good enough to learn from, each once per photograph; of every object the likeliest few.

    Without that bound, the 118 breeds of dogs would be most of what is learned.
    """
    names = {label: accepted(label, noun_of(label)) for label in {record.label for record in records}}
    likelihoods: dict[tuple[Labelled, str], float] = {}
    for record in records:
        for (caption,) in written[record.name]["captions"].values():
            if is_good(caption, names[record.label]):
                key = record, caption["text"]
                likelihoods[key] = max(_likelihood(caption), likelihoods.get(key, -math.inf))
    counts: Counter[str] = Counter()
    chosen: Chosen = {}
    for record, text in sorted(likelihoods, key=likelihoods.__getitem__, reverse=True):
        thing = noun_of(record.label) or record.label
        counts[thing] += 1
        if counts[thing] <= most:
            chosen.setdefault(record, []).append(text)
    return {record: chosen[record] for record in records if record in chosen}


def is_good(caption: Mapping[str, Any], names: set[tuple[str, ...]]) -> bool:
    """Whether a caption is a sentence that names the object, ends, and says no content word twice."""
    words, finished = caption["words"], caption["end_log_probability"] is not None
    whole = finished and len(words) >= _SHORTEST and not is_cut(words)
    return whole and named(caption["text"], names) and not says_twice(words)


def _likelihood(caption: Mapping[str, Any]) -> float:
    """The mean log-probability of the words and the end."""
    return caption["log_probability"] / (len(caption["words"]) + 1)


def save(folder: Path, chosen: Chosen, how: Mapping[str, Any]) -> None:
    """Write a data set with a split for training alone, with copies of the photographs, and how it was made."""
    pictures = folder / OWN_PHOTOGRAPHS
    pictures.mkdir(parents=True, exist_ok=True)
    for record in chosen:
        (pictures / record.name).write_bytes(record.read())
    lines = (f"{record.name}#{number}\t{text}\n" for record, texts in chosen.items() for number, text in enumerate(texts))
    write_bytes(folder / BY_SPLIT.format("train"), "".join(lines).encode())
    write_json(folder / HOW, how)
