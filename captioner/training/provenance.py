"""The provenance of a run, recorded while it is trained: its data and its code.

Presenting it is left to `captioner.reports.model_card`.
"""

import functools
import hashlib
import os
import subprocess
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from captioner.config import CONTROLS, VARIANTS
from captioner.data.datasets import Record, is_joined, names_in
from captioner.errors import CheckpointError, TrainingError
from captioner.model.checkpoints import HISTORY
from captioner.storage import file_sha256, parse_as, read_json

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("captioner", "embeddings")
_PATIENCE = 20  # seconds to wait for git


@dataclass(frozen=True)
class Code:
    """The hash of our source files and, where git knows it, their commit; `changed` if they differ from it."""

    source: str
    commit: str | None = None
    changed: bool | None = None


@dataclass(frozen=True)
class File:
    """A file of text or finished vectors, and its role in training."""

    role: str
    name: str
    bytes: int
    sha256: str

    @classmethod
    def of(cls, role: str, path: Path) -> "File":
        try:
            name = path.name.encode(errors="replace").decode()  # JSON takes only text.
            return cls(role, name, path.stat().st_size, file_sha256(path))
        except OSError as error:
            raise TrainingError(f"The file {path} cannot be read ({error.strerror}); check its permissions.") from error


@dataclass(frozen=True)
class Data:
    """The train and dev data of a run: the number of photographs and captions by split, and the hashes of both.

    The hashes can be recomputed from the data: each is the sha256 of a text with a line for every caption, or every picture,
    in the order of the lists. A line holds the split, the photograph's name, and the caption or the first 32 digits of the
    sha256 of the picture's file, separated by tabs.
    """

    name: str
    photographs: Mapping[str, int]
    captions: Mapping[str, int]
    left_out: int  # photographs that could not be read
    captions_sha256: str
    pictures_sha256: str
    files: tuple[File, ...] = ()
    sets: Mapping[str, Mapping[str, int]] | None = None  # if there are several, the photographs of each

    @classmethod
    def of(cls, name: str, splits: Mapping[str, Sequence[Record]], key: Callable[[Record], str], left_out: int) -> "Data":
        """The record of these splits; `key` gives the hash of a record's picture."""
        records = [(split, record) for split, part in splits.items() for record in part]
        captions = ((split, record.name, text) for split, record in records for text in record.captions)
        pictures = ((split, record.name, key(record)) for split, record in records)
        return cls(
            name,
            {split: len(part) for split, part in splits.items()},
            {split: sum(len(record.captions) for record in part) for split, part in splits.items()},
            left_out,
            _sha256_of_lines(captions),
            _sha256_of_lines(pictures),
            sets=_sets(splits),
        )


def _sets(splits: Mapping[str, Sequence[Record]]) -> dict[str, dict[str, int]] | None:
    """The number of photographs by data set and split; None for a single data set."""
    counts = {split: Counter(record.origin for record in part) for split, part in splits.items()}
    names = dict.fromkeys(name for count in counts.values() for name in count)
    return {name: {split: count[name] for split, count in counts.items()} for name in names} if len(names) > 1 else None


def _sha256_of_lines(rows: Iterable[Sequence[str]]) -> str:
    found = hashlib.sha256()
    for row in rows:
        found.update(("\t".join(row) + "\n").encode(errors="surrogatepass"))
    return found.hexdigest()


@functools.cache
def code() -> Code:
    """The code of this process, read once: later edits of the files do not change what it has loaded."""
    return code_in(ROOT)


def program() -> str:
    """The hash of our source and the versions of the libraries that compute; workers must agree on it."""
    import keras
    import numpy
    import PIL
    import tensorflow

    return " ".join([code().source, *(library.__version__ for library in (tensorflow, keras, numpy, PIL))])


def code_in(root: Path) -> Code:
    """The code of the program in this folder."""
    return Code(_source(root), *_commit(root))


def _source(root: Path) -> str:
    """One hash over the paths and contents of all Python files and tables, whatever their line endings, which git may change."""
    digest = hashlib.sha256()
    kinds = [(package, kind) for package in PACKAGES for kind in ("*.py", "*.tsv")]
    for path in sorted(path for package, kind in kinds for path in (root / package).rglob(kind)):
        own = hashlib.sha256(path.read_bytes().replace(b"\r\n", b"\n")).hexdigest()
        digest.update(f"{path.relative_to(root).as_posix()} {own}\n".encode())
    return digest.hexdigest()


def _commit(root: Path) -> tuple[str | None, bool | None]:
    """The commit that is checked out in this folder, and whether the packages differ from it."""
    top, commit = _git(root, "rev-parse", "--show-toplevel"), _git(root, "rev-parse", "--verify", "HEAD")
    if not (top and commit) or Path(top).resolve() != root.resolve():
        return None, None
    changes = _git(root, "status", "--porcelain", "--", *PACKAGES)
    return (None, None) if changes is None else (commit, bool(changes))


def _git(root: Path, *arguments: str) -> str | None:
    """The output of git, or None if git is missing, fails or takes too long."""
    # In a git hook these variables point to another repository.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    command = ["git", "--no-optional-locks", "-C", str(root), *arguments]
    try:
        done = subprocess.run(command, capture_output=True, env=environment, timeout=_PATIENCE)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.decode(errors="replace").strip() if done.returncode == 0 else None


def to_json(what: Code | Data) -> dict[str, Any]:
    """The fields that are known, as plain data."""
    known = {name: value for name, value in asdict(what).items() if value is not None}
    return known | ({"files": list(known["files"])} if "files" in known else {})


def read_code(stored: Any) -> list[Code | None]:
    """The code of every part of a training, in turn; None for a part that did not record it."""
    return [None] if stored is None else parse_as(stored or {}, list[Code | None], "The code in a history", exact=True)


def read_data(stored: Any) -> Data | None:
    """The data of a history, or None if it was not recorded."""
    return parse_as(stored, Data | None, "The data in a history", exact=True)


def first_data_set(folder: Path, variants: Iterable[str]) -> str | None:
    """The first data set that these decoders were trained on; None if their versions did not record it."""
    for name in variants:
        path = Path(folder) / name / HISTORY
        data = read_data(read_json(path).get("data")) if path.is_file() else None
        if data:
            return names_in(data.name)[0]
    return None


def trained_on_dev(folder: Path, variants: Sequence[str] | None = None) -> bool:
    """Whether one of these decoders, or a run that it started from, was trained on train and dev joined.

    Runs that did not record their data are older than that option. The model card reports a damaged history.
    """
    histories = (Path(folder) / name / HISTORY for name in variants or (*VARIANTS, *CONTROLS))
    return any(_had_dev(path) for path in histories if path.is_file())


def _had_dev(path: Path) -> bool:
    try:
        part = read_json(path)
        while part is not None:
            data, part = read_data(part.get("data")), part.get("started_from")
            if data and is_joined(data.name):
                return True
    except (CheckpointError, AttributeError):
        pass
    return False
