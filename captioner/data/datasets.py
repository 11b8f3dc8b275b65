"""Photographs with their captions, split into train, dev and test: one data set, several together, or generated shapes.

Parsing files is left to `captioner.data.dataset_formats`, reading pixels to `captioner.data.images`, splitting captions into
words to `captioner.vocabulary`.
"""

import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from captioner.config import JOINED, SPLITTINGS, STANDARD
from captioner.data import shapes as drawn
from captioner.data.dataset_formats import JOINS, SHAPES, SPLITS, Layout, recognise
from captioner.data.images import read_bytes
from captioner.errors import DatasetError
from captioner.vocabulary import tokenize

LONGEST_CAPTION = 100  # words; training time grows with the longest caption of a batch
# The number in a file's name by which COCO or Flickr knows the photograph; other names may be equal by chance.
_PUBLISHED = re.compile(r"(?<!\d)(\d{12}|\d{7,11}(?=_[0-9a-f]{10}|\.))")


@dataclass(frozen=True, slots=True)
class Record:
    """One picture and its captions; `origin` is the name of its data set."""

    name: str
    captions: tuple[str, ...]
    source: Path | drawn.Scene
    origin: str = ""

    def read(self) -> bytes:
        """The bytes of the picture's file; a generated picture is drawn again."""
        return read_bytes(self.source) if isinstance(self.source, Path) else self.source.read()


@dataclass(frozen=True)
class Dataset:
    """Records by split, and what was left out: photographs missing, uncaptioned or held out, and empty or long captions."""

    name: str
    splits: dict[str, tuple[Record, ...]]
    missing: tuple[str, ...] = ()
    dropped_captions: int = 0
    uncaptioned: tuple[str, ...] = ()
    long_captions: int = 0
    held_out: tuple[str, ...] = ()

    def split(self, name: str) -> tuple[Record, ...]:
        if name not in self.splits:
            raise DatasetError(f"The data set {self.name} has no split '{name}'; choose one of {', '.join(self.splits)}.")
        return self.splits[name]

    def shortened(self, photographs: int) -> "Dataset":
        """The same with the first training photographs alone."""
        return replace(self, splits=self.splits | {"train": self.split("train")[:photographs]})

    @property
    def notes(self) -> tuple[str, ...]:
        """One line for each reason why something was left out."""
        counted = (
            ("photographs that are in the lists but not in the folder", len(self.missing), self.missing),
            ("photographs without a caption", len(self.uncaptioned), self.uncaptioned),
            ("photographs that another data set holds out", len(self.held_out), self.held_out),
            ("captions without text", self.dropped_captions, ()),
            (f"captions of more than {LONGEST_CAPTION} words", self.long_captions, ()),
        )
        return tuple(f"left out, {what}: {count}{_some(names)}" for what, count, names in counted if count)


def load(data: str | Path) -> Dataset:
    """Load the data set in a folder, or generated pictures for the word "shapes"."""
    if str(data) == SHAPES:
        return shapes()
    if not Path(data).is_dir():
        raise DatasetError(f"There is no folder '{data}'; give the folder of a data set, or the word {SHAPES}.")
    try:
        return _assemble(recognise(Path(data)))
    except OSError as error:
        raise DatasetError(f"The folder '{data}' cannot be read ({error.strerror}); check its permissions.") from error


def join(datasets: Sequence[Dataset]) -> Dataset:
    """Several data sets as one, their splits in the order given.

    Where two sets use the same file name, the later photograph is named with its set. A photograph of COCO or Flickr that one
    set holds out for dev or test is left out of the train of the others.
    """
    first, *others = datasets
    if not others:
        return first
    names = [one.name for one in datasets]
    if twice := [name for place, name in enumerate(names) if name in names[:place]]:
        raise DatasetError(f"Two data sets are called {twice[0]}; give each data set once, or rename a folder.")
    splits: dict[str, list[Record]] = {split: [] for split in SPLITS}
    taken: set[str] = set()
    for one in datasets:
        for split in SPLITS:
            splits[split] += [_with_own_name(record, taken) for record in one.splits.get(split, ())]
        taken |= {record.name for records in one.splits.values() for record in records}
    kept = _without_held_out(splits)
    used = {record.name for records in kept.values() for record in records}
    return Dataset(
        JOINS.join(names),
        kept,
        sum((one.missing for one in datasets), ()),
        sum(one.dropped_captions for one in datasets),
        sum((one.uncaptioned for one in datasets), ()),
        sum(one.long_captions for one in datasets),
        tuple(record.name for split in SPLITS for record in splits[split] if record.name not in used),
    )


def _with_own_name(record: Record, taken: set[str]) -> Record:
    return replace(record, name=f"{record.origin}/{record.name}") if record.name in taken else record


def _without_held_out(splits: Mapping[str, Sequence[Record]]) -> dict[str, tuple[Record, ...]]:
    """Leave out photographs that another set has in a later split."""
    owners: dict[str, str] = {}  # the photograph's data set by its number
    kept: dict[str, tuple[Record, ...]] = {}
    for split in reversed(SPLITS):
        numbers = [(_number(record), record) for record in splits[split]]
        kept[split] = tuple(record for number, record in numbers if owners.get(number, record.origin) == record.origin)
        owners |= {number: record.origin for number, record in numbers if number}
    return {split: kept[split] for split in SPLITS}


def _number(record: Record) -> str:
    found = _PUBLISHED.search(record.name)
    return found.group() if found else ""


def names_in(joined: str) -> tuple[str, ...]:
    """The names of the data sets that were used together under this name.

    >>> names_in("flickr8k+wide-7000-1000")
    ('flickr8k', 'wide')
    """
    return tuple(joined.removesuffix(f"-{JOINED}").split(JOINS))


def split_key(split: str, origin: str, first: str) -> str:
    """What the scores of a split are stored under: its own name, with the data set's before it unless that is the first."""
    return split if origin == first else f"{origin} {split}"


def by_set(dataset: Dataset, split: str) -> dict[str, tuple[Record, ...]]:
    """The records of a split by data set, under their `split_key`."""
    records = dataset.split(split)
    found: dict[str, list[Record]] = {}
    for record in records:
        found.setdefault(split_key(split, record.origin, records[0].origin), []).append(record)
    return {key: tuple(own) for key, own in found.items()}


def resplit(dataset: Dataset, splits: str) -> Dataset:
    """The data set's own splits, or train joined with dev as some captioners were trained, on Flickr8k 7,000 to 1,000.

    Dev then still decides when training stops, but is no longer unseen: only scores on test are valid.
    """
    if splits == STANDARD:
        return dataset
    if splits != JOINED:
        raise DatasetError(f"A data set cannot be split as '{splits}'; choose one of {', '.join(SPLITTINGS)}.")
    together = dataset.split("train") + dataset.split("dev")
    return replace(dataset, name=f"{dataset.name}-{JOINED}", splits=dataset.splits | {"train": together})


def is_joined(name: str) -> bool:
    """Whether this is the name of a data set whose train and dev `resplit` has joined."""
    return name.endswith(f"-{JOINED}")


def shapes(count_train: int = 600, count_dev: int = 100, count_test: int = 100, seed: int = 0, size: int = 96) -> Dataset:
    """Generated pictures; each depends on the seed, its split and its number, not on the counts."""
    if size < drawn.MINIMUM_SIDE:
        raise DatasetError(f"Pictures of {size} pixels are too small for shapes; use {drawn.MINIMUM_SIDE} or more.")
    counts = zip(SPLITS, (count_train, count_dev, count_test), strict=True)
    return Dataset(SHAPES, {split: tuple(_drawn(split, count, seed, size)) for split, count in counts})


def _drawn(split: str, count: int, seed: int, size: int) -> Iterator[Record]:
    for number in range(count):
        scene = drawn.scene(f"{seed} {split} {number}", size)
        yield Record(f"{split}-{number:05d}.png", scene.captions, scene, SHAPES)


def _assemble(layout: Layout) -> Dataset:
    """Match captions, lists and folders; count what is left out."""
    _check_lists(layout.lists)
    present = {folder: set(os.listdir(folder)) for folder in set(layout.folders.values())}
    splits: dict[str, tuple[Record, ...]] = {}
    missing: list[str] = []
    uncaptioned: list[str] = []
    dropped = too_long = 0
    for split, names in layout.lists.items():
        folder = layout.folders[split]
        here = [name for name in dict.fromkeys(names) if name in present[folder]]
        missing += sorted(set(names).difference(here))
        texts = {name: _with_text(layout.captions.get(name, [])) for name in here}
        kept = {name: _short_enough(captions) for name, captions in texts.items()}
        dropped += sum(len(layout.captions.get(name, [])) - len(captions) for name, captions in texts.items())
        too_long += sum(len(captions) - len(kept[name]) for name, captions in texts.items())
        uncaptioned += [name for name, captions in kept.items() if not captions]
        splits[split] = tuple(
            Record(name, captions, folder / name, layout.name) for name, captions in kept.items() if captions
        )
        if not splits[split]:
            raise DatasetError(f"The folder '{folder}' has no captioned photograph of the split '{split}'; add some.")
    return Dataset(layout.name, splits, tuple(missing), dropped, tuple(uncaptioned), too_long)


def _check_lists(lists: dict[str, list[str]]) -> None:
    owners: dict[str, str] = {}
    for split, names in lists.items():
        if not names:
            raise DatasetError(f"The list of the split '{split}' is empty; it should name at least one photograph.")
        for name in names:
            if owners.setdefault(name, split) != split:
                raise DatasetError(f"The photograph '{name}' is in two splits, {owners[name]} and {split}; remove it from one.")


def _with_text(captions: Iterable[str]) -> tuple[str, ...]:
    """Captions with at least one letter or digit, on one line each."""
    return tuple(" ".join(caption.split()) for caption in captions if any(map(str.isalnum, caption)))


def _short_enough(captions: Iterable[str]) -> tuple[str, ...]:
    # Words need letters and separators, so a short text needs no tokenizing.
    return tuple(
        caption for caption in captions if len(caption) < 2 * LONGEST_CAPTION or len(tokenize(caption)) <= LONGEST_CAPTION
    )


def _some(names: tuple[str, ...], limit: int = 3) -> str:
    return f" ({', '.join(names[:limit])}{', ...' * (len(names) > limit)})" if names else ""
