"""Synthetic data of the size of a large data set: a feature cache in sparse files, and caption files in COCO's format.

The zeros of a sparse file take no room on the disk, and the words mean nothing: such data shows what the bookkeeping costs
in memory and time. `tests/benchmarks/large.py` measures it.
"""

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from captioner.data.datasets import Record
from captioner.errors import FeatureError
from captioner.progress import Progress
from captioner.vision.feature_cache import SHARD_ROWS, VIEWS, content_key

SEED = 1
VIEW_NAMES = tuple(VIEWS)[:2]
CAPTIONS = 5
_WORDS = tuple(f"w{number}" for number in range(10_000))
_LENGTHS = (8, 11)  # of captions, in words; with their ends all of them fit into one bucket of steps


class SilentEncoder:
    """The name and the grid of an encoder that must not encode anything."""

    name, size, fingerprint = "synthetic", 260, "0" * 16

    def __init__(self, rows: int = 9, columns: int = 9, channels: int = 1280):  # the default encoder's grid
        self.rows, self.columns, self.regions, self.channels, self.class_count = rows, columns, rows * columns, channels, 0

    @property
    def photograph_bytes(self) -> int:
        """The size of the features of all views of one photograph."""
        return len(VIEW_NAMES) * self.regions * self.channels * np.dtype(np.float16).itemsize


@dataclass(frozen=True, slots=True)
class Numbered:
    """A picture whose content is its number."""

    number: int

    def read(self) -> bytes:
        return str(self.number).encode()


def records(photographs: int) -> list[Record]:
    return [Record(f"{number:012d}.jpg", said, Numbered(number)) for number, said in enumerate(captions(photographs))]


def captions(photographs: int) -> Iterator[tuple[str, ...]]:
    """The captions of each photograph; as in a real language, a few words are frequent and most are rare."""
    random = np.random.default_rng(SEED)
    shortest, longest = _LENGTHS
    for _ in range(photographs):
        ranks = (len(_WORDS) * random.random((CAPTIONS, longest)) ** 4).astype(int)
        lengths = random.integers(shortest, longest + 1, CAPTIONS)
        yield tuple(
            f"{' '.join(_WORDS[rank] for rank in row[:length])}." for row, length in zip(ranks, lengths, strict=True)
        )


def write_cache(folder: Path, photographs: int, encoder: SilentEncoder) -> None:
    """Write the features of the photographs, all zero, in the format of `captioner.vision.feature_cache`."""
    place = folder / f"{encoder.name}-{encoder.fingerprint}"
    place.mkdir(parents=True)
    pictures = (content_key(Numbered(number).read()) for number in range(photographs))
    keys = (f"{picture} {view}" for picture in pictures for view in VIEW_NAMES)
    total = photographs * len(VIEW_NAMES)
    for first in range(0, total, SHARD_ROWS):
        part = [next(keys) for _ in range(min(SHARD_ROWS, total - first))]
        _sparse(place / f"{first:012d}.npy", (len(part), encoder.regions, encoder.channels))
        (place / f"{first:012d}.json").write_text(json.dumps(part))


def _sparse(path: Path, shape: tuple[int, ...]) -> None:
    """Write an array file of zeros that takes no room on the disk."""
    with path.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, {"descr": "<f2", "fortran_order": False, "shape": shape})
        file.truncate(file.tell() + math.prod(shape) * np.dtype(np.float16).itemsize)
    _check_sparse(path)


def _check_sparse(path: Path) -> None:
    """Fail where the disk stores zeros in full; a system that does not count blocks passes."""
    found = path.stat()
    if getattr(found, "st_blocks", 0) * 512 > found.st_size / 2 + 2**16:
        raise FeatureError(
            f"The disk under {path.parent} stores zeros in full, so a synthetic cache would fill it; set TMPDIR to another disk."
        )


def write_coco(folder: Path, photographs: int, others: int) -> None:
    """Write the two caption files and an empty file for each photograph; `others` are for dev and test."""
    (folder / "annotations").mkdir(parents=True)
    first = 0
    with Progress("photographs", photographs + others, "written") as bar:
        for part, count in (("train", photographs), ("val", others)):
            names = [f"{number:012d}.jpg" for number in range(first, first + count)]
            (folder / f"{part}2017").mkdir()
            for name in names:
                (folder / f"{part}2017" / name).touch()
                bar.advance()
            _write_captions(folder / "annotations" / f"captions_{part}2017.json", names, first)
            first += count


def _write_captions(path: Path, names: list[str], first: int) -> None:
    """Write one item at a time, with the fields and addresses of COCO's own files."""
    images = (_image(name, number) for number, name in enumerate(names, first))
    said = (
        {"image_id": number, "id": CAPTIONS * number + place, "caption": caption}
        for number, group in enumerate(captions(len(names)), first)
        for place, caption in enumerate(group)
    )
    with path.open("w", encoding="utf-8") as file:
        for start, items in (('{"info": {}, "licenses": [], "images": [', images), ('], "annotations": [', said)):
            file.write(start)
            for place, item in enumerate(items):
                file.write(", " * (place > 0) + json.dumps(item))
        file.write("]}")


def _image(name: str, number: int) -> dict[str, str | int]:
    return {
        "license": 3,
        "file_name": name,
        "coco_url": f"http://images.example.org/train2017/{name}",
        "height": 480,
        "width": 640,
        "date_captured": "2013-11-14 11:18:45",
        "flickr_url": f"http://farm9.example.org/8186/{number}_4e622c8349_z.jpg",
        "id": number,
    }
