"""Photographs with their captions, split into train, dev and test: Flickr8k in both layouts, COCO captions, generated shapes.

What the files say is left to `captioner.data.dataset_formats`, reading a picture's pixels to `captioner.data.images`, cutting captions into
words to `captioner.vocabulary`.
"""

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from captioner.config import JOINED, SPLITTINGS, STANDARD
from captioner.data import shapes as drawn
from captioner.data.dataset_formats import SHAPES, SPLITS, Layout, recognise
from captioner.data.images import read_bytes
from captioner.errors import DatasetError
from captioner.vocabulary import tokenize

LONGEST_CAPTION = 100  # words; a decoder goes through a caption word by word, and nobody describes a photograph in so many


@dataclass(frozen=True, slots=True)
class Record:
    """One picture and what people (or the drawing program) say about it."""

    name: str
    captions: tuple[str, ...]
    source: Path | drawn.Scene

    def read(self) -> bytes:
        """The picture's file, as it is; drawn anew when it is a generated one."""
        return read_bytes(self.source) if isinstance(self.source, Path) else self.source.read()


@dataclass(frozen=True)
class Dataset:
    """Records by split, and what was left out: photographs that are not there, or have no caption, and captions without text."""

    name: str
    splits: dict[str, tuple[Record, ...]]
    missing: tuple[str, ...] = ()
    dropped_captions: int = 0
    uncaptioned: tuple[str, ...] = ()
    long_captions: int = 0

    def split(self, name: str) -> tuple[Record, ...]:
        if name not in self.splits:
            raise DatasetError(f"The data set {self.name} has no split '{name}'; choose one of {', '.join(self.splits)}.")
        return self.splits[name]

    @property
    def notes(self) -> tuple[str, ...]:
        """What was left out, in one line for each reason that occurred."""
        counted = (
            ("photographs that the lists name and the folder lacks", len(self.missing), self.missing),
            ("photographs without a caption", len(self.uncaptioned), self.uncaptioned),
            ("captions without text", self.dropped_captions, ()),
            (f"captions of more than {LONGEST_CAPTION} words", self.long_captions, ()),
        )
        return tuple(f"left out, {what}: {count}{_some(names)}" for what, count, names in counted if count)


def load(data: str | Path) -> Dataset:
    """The data set in a folder, its layout recognised by its files; the word "shapes" stands for generated pictures."""
    if str(data) == SHAPES:
        return shapes()
    if not Path(data).is_dir():
        raise DatasetError(f"There is no folder '{data}'; give the folder of Flickr8k or COCO, or the word {SHAPES}.")
    try:
        return _assemble(recognise(Path(data)))
    except OSError as error:
        raise DatasetError(f"The folder '{data}' cannot be read ({error.strerror}); check that it may be.") from error


def resplit(dataset: Dataset, splits: str) -> Dataset:
    """As it comes; or, as some captioners were trained, on train and dev together, of Flickr8k 7,000 photographs to 1,000.

    Dev is still what training looks at to know when to stop, but no longer unseen: only test says how good a decoder is.
    """
    if splits == STANDARD:
        return dataset
    if splits != JOINED:
        raise DatasetError(f"There is no way '{splits}' to split a data set; choose one of {', '.join(SPLITTINGS)}.")
    together = dataset.split("train") + dataset.split("dev")
    return replace(dataset, name=f"{dataset.name}-{JOINED}", splits=dataset.splits | {"train": together})


def is_joined(name: str) -> bool:
    """Whether a data set of this name is one whose train and dev `resplit` has joined."""
    return name.endswith(f"-{JOINED}")


def shapes(count_train: int = 600, count_dev: int = 100, count_test: int = 100, seed: int = 0, size: int = 96) -> Dataset:
    """Generated pictures; each depends on the seed, its split and its number, not on how many there are."""
    if size < drawn.MINIMUM_SIDE:
        raise DatasetError(f"Shapes cannot be told apart on pictures of {size} pixels; ask for {drawn.MINIMUM_SIDE} or more.")
    counts = zip(SPLITS, (count_train, count_dev, count_test), strict=True)
    return Dataset(SHAPES, {split: tuple(_drawn(split, count, seed, size)) for split, count in counts})


def _drawn(split: str, count: int, seed: int, size: int) -> Iterator[Record]:
    for number in range(count):
        scene = drawn.scene(f"{seed} {split} {number}", size)
        yield Record(f"{split}-{number:05d}.png", scene.captions, scene)


def _assemble(layout: Layout) -> Dataset:
    """Leave out what is not there, and count it."""
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
        splits[split] = tuple(Record(name, captions, folder / name) for name, captions in kept.items() if captions)
        if not splits[split]:
            raise DatasetError(f"No photograph of the split '{split}' is in '{folder}' with a caption; put them there.")
    return Dataset(layout.name, splits, tuple(missing), dropped, tuple(uncaptioned), too_long)


def _check_lists(lists: dict[str, list[str]]) -> None:
    owners: dict[str, str] = {}
    for split, names in lists.items():
        if not names:
            raise DatasetError(f"The split '{split}' names no photograph; its list should name at least one.")
        for name in names:
            if owners.setdefault(name, split) != split:
                raise DatasetError(f"The photograph '{name}' is in two splits, {owners[name]} and {split}; take it out of one.")


def _with_text(captions: Iterable[str]) -> tuple[str, ...]:
    """Captions with at least one letter or digit, on one line each."""
    return tuple(" ".join(caption.split()) for caption in captions if any(map(str.isalnum, caption)))


def _short_enough(captions: Iterable[str]) -> tuple[str, ...]:
    # Words need letters and something between them, so a short text is not taken apart.
    return tuple(
        caption for caption in captions if len(caption) < 2 * LONGEST_CAPTION or len(tokenize(caption)) <= LONGEST_CAPTION
    )


def _some(names: tuple[str, ...], limit: int = 3) -> str:
    return f" ({', '.join(names[:limit])}{', ...' * (len(names) > limit)})" if names else ""
