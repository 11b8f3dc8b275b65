"""The feature cache: the encoder's features of every picture, computed once, kept on disk and memory-mapped.

A cache is a folder per encoder and input size, filled in shards. A shard is a float16 array of features, one of class
probabilities where the network has a classifier, and a list of keys; a key is the hash of a picture's bytes and the name of
the view. A shard counts once its list exists, so an interruption loses only the shard in progress. Mapping the arrays is left
to `captioner.vision.feature_shards`.
"""

import hashlib
import json
import os
import platform
import re
import sys
from collections.abc import Hashable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np

from captioner.data.datasets import Record
from captioner.data.images import read, resize
from captioner.errors import CheckpointError, FeatureError, ImageError
from captioner.progress import Progress
from captioner.runtime import is_alive
from captioner.storage import read_as
from captioner.vision.encoder import Encoder, Seen
from captioner.vision.feature_shards import SHARD_ROWS, Shards

FEATURES, CLASSES_FILE = ".npy", ".classes.npy"
_BATCH = 32
_PART = ".part"  # suffix of a file in progress; host and process come before it
_HOST = re.sub(r"\W", "-", platform.node())

Crop = tuple[float, float, float, float]  # left, top, right, bottom, as fractions


class View(NamedTuple):
    """One view of a training picture: a crop, perhaps mirrored."""

    crop: Crop = (0.0, 0.0, 1.0, 1.0)
    mirrored: bool = False

    def apply(self, rgb: np.ndarray, size: int) -> np.ndarray:
        """The view at the encoder's input size, uint8 (size, size, 3)."""
        height, width = rgb.shape[:2]
        left, top, right, bottom = self.crop
        columns = slice(int(left * width), max(int(right * width), int(left * width) + 1))
        rows = slice(int(top * height), max(int(bottom * height), int(top * height) + 1))
        picture = resize(rgb[rows, columns], size)
        return picture[:, ::-1] if self.mirrored else picture


_SHARE = 0.8
VIEWS: dict[str, View] = {
    "whole": View(),
    "mirrored": View(mirrored=True),
    "top-left": View((0.0, 0.0, _SHARE, _SHARE)),
    "bottom-right": View((1 - _SHARE, 1 - _SHARE, 1.0, 1.0)),
    "top-right-mirrored": View((1 - _SHARE, 0.0, 1.0, _SHARE), mirrored=True),
    "bottom-left-mirrored": View((0.0, 1 - _SHARE, _SHARE, 1.0), mirrored=True),
}
WHOLE = "whole"

Wanted = tuple[Record, str]


def default_folder() -> Path:
    """The folder for features by default: TRIPTYCH_CACHE, or triptych in the user's cache folder."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(os.environ.get("TRIPTYCH_CACHE") or Path(base) / "triptych")


def content_key(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:32]


class FeatureCache:
    """Reads features by key from memory-mapped shards and adds missing ones."""

    def __init__(self, folder: Path, encoder: Encoder):
        self.folder = Path(folder) / f"{encoder.name}-{encoder.fingerprint}"
        self.encoder = encoder
        self._keys: dict[Hashable, str] = {}
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise FeatureError(f"The feature cache {folder} cannot be created ({error.strerror}); choose another.") from error
        _sweep(self.folder)
        self.reload()

    def __len__(self) -> int:
        return sum(map(len, self._rows.values()))

    @property
    def row_bytes(self) -> int:
        """The size of the features of one view of one picture."""
        return self._shards.row_bytes

    def key(self, record: Record) -> str:
        """The hash of a record's picture, whose bytes are read once in the life of this object."""
        if record.source not in self._keys:
            self._keys[record.source] = sys.intern(content_key(record.read()))
        return self._keys[record.source]

    def has(self, record: Record, view: str = WHOLE) -> bool:
        return self.key(record) in self._rows.get(view, ())

    def rows(self, records: Sequence[Record], views: Sequence[str] | None = None) -> np.ndarray:
        """The features of these records, float16 (records, regions, channels); one view's name per record."""
        names = views if views is not None else [WHOLE] * len(records)
        return self._shards.read([self._rows[view][self.key(record)] for record, view in zip(records, names, strict=True)])

    def seen(self, records: Sequence[Record], views: Sequence[str] | None = None) -> Seen:
        """The features with the CNN's own classes, float16."""
        names = views if views is not None else [WHOLE] * len(records)
        rows = [self._rows[view][self.key(record)] for record, view in zip(records, names, strict=True)]
        if not self._classes:
            return Seen(self._shards.read(rows))
        return Seen(self._shards.read(rows), *self._classes.read(rows).swapaxes(0, 1))

    def pooled(self, records: Sequence[Record]) -> np.ndarray:
        """The mean over the regions of each whole picture, float32 (records, channels)."""
        parts = (records[first : first + _BATCH] for first in range(0, len(records), _BATCH))
        return np.concatenate([self.rows(part).astype(np.float32).mean(axis=1) for part in parts])

    def reload(self) -> None:
        """Open all shards in the folder, sorted, so that every process uses the same one of two duplicates."""
        self._shards = Shards((self.encoder.regions, self.encoder.channels))
        classes = self.encoder.class_count
        self._classes = Shards((2, classes)) if classes else None  # Probabilities in the picture, and in its best regions.
        self._rows: dict[str, dict[str, int]] = {}  # by view, then by the hash of the picture
        for index in sorted(self.folder.glob("*.json")):
            self._open(index)

    def fill(self, records: Sequence[Record], views: Sequence[str] = (WHOLE,)) -> dict[str, str]:
        """Encode missing features, shard by shard; return the reasons for unreadable pictures by name."""
        failed = self._unopened(records)
        opened = [record for record in records if record.name not in failed]
        missing = ((record, view) for record in opened for view in views if not self.has(record, view))
        wanted = list({(self.key(record), view): (record, view) for record, view in missing}.values())
        refused: dict[str, str] = {}  # reasons by key, since several records may hold the same bytes
        with ThreadPoolExecutor(2) as pool, Progress("features", len(wanted), "pictures") as progress:
            for first in range(0, len(wanted), SHARD_ROWS):
                self._add(wanted[first : first + SHARD_ROWS], refused, progress, pool)
        return failed | {record.name: refused[self.key(record)] for record in opened if self.key(record) in refused}

    def _unopened(self, records: Sequence[Record]) -> dict[str, str]:
        """The reasons for records whose bytes cannot be read, by name."""
        failed = {}
        for record in records:
            try:
                self.key(record)
            except ImageError as error:
                failed[record.name] = str(error)
        return failed

    def _add(self, wanted: list[Wanted], refused: dict[str, str], progress: Progress, pool: ThreadPoolExecutor) -> None:
        """Encode one shard; other threads decode pictures while the network works on the batch before."""
        pictures = pool.map(self._picture, wanted)
        keys: list[str] = []
        blocks: list[Seen] = []
        for first in range(0, len(wanted), _BATCH):
            good = []
            for record, view in wanted[first : first + _BATCH]:
                picture = next(pictures)
                if isinstance(picture, ImageError):
                    refused[self.key(record)] = str(picture)
                else:
                    keys.append(f"{self.key(record)} {view}")
                    good.append(picture)
            if good:
                blocks.append(self.encoder.see(np.stack(good)).astype(np.float16))
            progress.advance(len(wanted[first : first + _BATCH]))
        if keys:
            self._write(keys, blocks)

    def _picture(self, wanted: Wanted) -> np.ndarray | ImageError:
        record, view = wanted
        try:
            return VIEWS[view].apply(read(record.read(), record.name), self.encoder.size)
        except ImageError as error:
            return error

    def _write(self, keys: list[str], blocks: list[Seen]) -> None:
        """Write a shard: first the arrays, then its list of keys, each under its name only when complete."""
        name = content_key("\n".join(keys).encode())
        arrays = {FEATURES: np.concatenate([block.features for block in blocks])}
        if self._classes:
            parts = ([getattr(block, name) for block in blocks] for name in ("classes", "regional"))
            arrays[CLASSES_FILE] = np.stack([np.concatenate(part) for part in parts], axis=1)
        try:
            for suffix, array in arrays.items():
                with _whole_file(self.folder / f"{name}{suffix}") as file:
                    np.save(file, array)
            with _whole_file(self.folder / f"{name}.json") as file:
                file.write(json.dumps(keys).encode())
        except OSError as error:
            reason = error.strerror or "the disk did not take all of it"  # NumPy omits the system's reason.
            raise FeatureError(f"The feature cache {self.folder} cannot be written ({reason}); make room.") from error
        self._open(self.folder / f"{name}.json")

    def _open(self, index: Path) -> None:
        """Open a shard; one whose arrays do not match its keys is ignored, and computed again."""
        try:
            keys = read_as(index, list[str])
        except CheckpointError:
            return
        if self._classes and not self._classes.fits(index.with_suffix(CLASSES_FILE), len(keys)):
            return
        first = self._shards.add(index.with_suffix(FEATURES), len(keys))
        if self._classes and first is not None:
            self._classes.add(index.with_suffix(CLASSES_FILE), len(keys))
        for row, key in enumerate(keys if first is not None else (), first or 0):
            picture, _, view = key.partition(" ")
            self._rows.setdefault(view, {})[sys.intern(picture)] = row


@contextmanager
def _whole_file(path: Path) -> Iterator[BinaryIO]:
    """A file that gets its name only when it is complete."""
    temporary = path.with_name(f".{path.name}.{_HOST}.{os.getpid()}{_PART}")
    try:
        with temporary.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def _sweep(folder: Path) -> None:
    """Remove files that killed processes of this machine left behind; others may be writing at this moment.

    A file that cannot be removed stays: a read-only cache is useful too.
    """
    for path in folder.glob(f".*{_PART}"):
        host, writer = path.name.split(".")[-3:-1]
        if host == _HOST and writer.isdecimal() and not is_alive(int(writer)):
            with suppress(OSError):
                path.unlink()
