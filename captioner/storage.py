"""Folders of files that are saved whole or not at all and loaded only if every byte is unchanged, and checked JSON files.

A folder is written beside its place, flushed to the disk and renamed; `manifest.json` holds the sha256 of each file. The
meaning of the files is left to `captioner.model.checkpoints`.
"""

import functools
import hashlib
import json
import os
import shutil
from collections.abc import Hashable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

from captioner.errors import CheckpointError

if TYPE_CHECKING:
    import numpy as np
    from pydantic import ValidationError

Pieces = tuple[bytes | memoryview, ...]
Value = TypeVar("Value")

MANIFEST = "manifest.json"
_FORMAT = 1
_MOST_FILES, _LARGEST_FOLDER, _LARGEST_JSON = 16, 2_000_000_000, 20_000_000
_TENSOR_TYPES = {
    "float16": "F16", "float32": "F32", "float64": "F64", "int32": "I32", "int64": "I64", "uint8": "U8", "bool": "BOOL"
}  # fmt: skip
_UNFIT = {
    "missing": "is missing",
    "missing_argument": "is missing",
    "unexpected_keyword_argument": "is not known to this version of the program",
    "json_invalid": "should be readable JSON",
}


def save_folder(folder: Path, files: Mapping[str, bytes | Pieces], companions: Mapping[str, bytes] = {}) -> None:
    """Replace a folder by these files; at every moment either the old or the new folder is whole.

    A file may come in pieces. Companions are outside the manifest, so they may be rewritten later.
    """
    new, old = _beside(folder, "new"), _beside(folder, "old")
    try:
        shutil.rmtree(new, ignore_errors=True)
        new.mkdir(parents=True)
        for name, data in {**companions, **files}.items():
            _write(new / name, data)
        hashes = {name: _sha256(data) for name, data in sorted(files.items())}
        _write(new / MANIFEST, json.dumps({"format": _FORMAT, "files": hashes}, indent=1).encode())
        _flush_folder(new)
        _swap(folder, new, old)
    except OSError as error:
        raise CheckpointError(f"{folder} cannot be written ({error.strerror}); make room or choose another folder.") from error


def load_folder(folder: Path) -> dict[str, bytes]:
    """Read all files in the manifest and verify their hashes."""
    whole = _whole(folder)
    if whole is None:
        raise CheckpointError(f"There is no checkpoint in {folder.name} (no {MANIFEST}); train it or choose another folder.")
    manifest = read_json(whole / MANIFEST)
    hashes = manifest.get("files") if isinstance(manifest, dict) and manifest.get("format") == _FORMAT else None
    if not isinstance(hashes, dict) or len(hashes) > _MOST_FILES or not all(Path(name).name == name for name in hashes):
        raise CheckpointError(f"The {MANIFEST} of {folder.name} is not a list of files in format {_FORMAT}; copy it all again.")
    size = sum((whole / name).stat().st_size for name in hashes if os.path.isfile(whole / name))
    if size > _LARGEST_FOLDER:
        raise CheckpointError(
            f"The files of {folder.name} have {size:,} bytes in total, more than the limit of {_LARGEST_FOLDER:,}; "
            "copy them all again."
        )
    return {name: _checked(whole / name, expected) for name, expected in hashes.items()}


def tensor_pieces(tensors: "Mapping[str, np.ndarray]") -> Pieces:
    """A safetensors file as its header and the arrays themselves, so that saving a large state needs no copy in memory.

    The arrays must not change until they are written.
    """
    head, place = {}, 0
    for name, values in tensors.items():
        ends = (place, place + values.nbytes)
        head[name] = {"dtype": _TENSOR_TYPES[values.dtype.name], "shape": values.shape, "data_offsets": ends}
        place = ends[1]
    text = json.dumps(head).encode()
    text += b" " * (-len(text) % 8)  # The arrays begin where a number of eight bytes may.
    return len(text).to_bytes(8, "little"), text, *(values.ravel().data for values in tensors.values())


def exists(folder: Path) -> bool:
    """Whether a whole folder has been saved there."""
    return _whole(folder) is not None


def remove_folder(folder: Path) -> None:
    """Remove a folder; if interrupted, what is left does not pass for a whole one."""
    for path in (_beside(folder, "new"), _beside(folder, "old"), folder):
        (path / MANIFEST).unlink(missing_ok=True)
        shutil.rmtree(path, ignore_errors=True)


def file_sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_json(path: Path, data: Any) -> None:
    """Replace one JSON file atomically."""
    write_bytes(path, (json.dumps(data, indent=1) + "\n").encode())


def write_bytes(path: Path, data: bytes) -> None:
    """Replace one file atomically, so that a reader sees the old or the new one."""
    temporary = path.with_name(f".{path.name}.new")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _write(temporary, data)
        temporary.replace(path)
    except OSError as error:
        raise CheckpointError(f"{path} cannot be written ({error.strerror}); make room or choose another folder.") from error


def read_json(path: Path) -> Any:
    return parse_json(read_bytes(path, _LARGEST_JSON), path.name)


def read_bytes(path: Path, largest: int) -> bytes:
    """Read a file, unless it is larger than allowed."""
    if not os.path.isfile(path):  # Unlike Path.is_file, it raises no error for odd names.
        raise CheckpointError(f"The file {path.name!r} of {path.parent.name} is missing; copy the checkpoint again.")
    try:
        size = path.stat().st_size
        if size > largest:
            raise CheckpointError(f"The file {path.name} has {size:,} bytes, more than the limit of {largest:,}.")
        return path.read_bytes()
    except MemoryError as error:
        raise CheckpointError(f"There is not enough memory for the file {path.name} ({size:,} bytes).") from error
    except OSError as error:
        raise CheckpointError(f"The file {path.name} cannot be read ({error.strerror}); copy the checkpoint again.") from error


def parse_json(data: bytes, name: str) -> Any:
    try:
        return json.loads(data)
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"The file {name} is not readable JSON; copy the checkpoint again.") from error


def read_as(path: Path, kind: type[Value], remedy: str = "copy it again", exact: bool = False) -> Value:
    """Read a JSON file as a type such as a dataclass, strictly: no text for a number, no NaN, no infinity.

    Older files lack fields that were added later, so a field with a default may be missing. Names that the type does not have
    are ignored, or refused if `exact`. The remedy ends the sentence about what does not fit.
    """
    return _typed(read_bytes(path, _LARGEST_JSON), kind, f"{path.name} of {path.parent.name}", remedy, exact)


def parse_as(data: Any, kind: type[Value], name: str, remedy: str = "copy it again", exact: bool = False) -> Value:
    """JSON as bytes, or plain data such as a part of a file, as a type; `name` identifies it in the sentence."""
    try:
        return _typed(data if isinstance(data, bytes) else json.dumps(data).encode(), kind, name, remedy, exact)
    except RecursionError as error:
        raise CheckpointError(f"{name}: the content is nested too deeply; {remedy}.") from error


def _typed(data: bytes, kind: type[Value], name: str, remedy: str, exact: bool) -> Value:
    from pydantic import ValidationError

    try:
        return _adapter(cast(Hashable, kind)).validate_json(b"[%b]" % data, extra="forbid" if exact else "ignore")[0]
    except ValidationError as error:
        raise CheckpointError(f"{name}: {_unfit(error)}; {remedy}.") from error


@functools.cache
def _adapter(kind: Any) -> Any:
    """Built once per type. pydantic is imported only here: it takes a quarter of a second, too long for the start of a page."""
    from pydantic import TypeAdapter

    return TypeAdapter(tuple[kind], config={"strict": True, "allow_inf_nan": False})  # A dataclass alone takes no config.


def _unfit(error: "ValidationError") -> str:
    """The first field that does not fit, what it should be, and what it is."""
    first = error.errors(include_url=False)[0]
    field = ".".join(map(str, first["loc"][1:]))
    wrong = _UNFIT.get(first["type"])
    if wrong is None:
        wrong = f"{first['msg'].replace('Input should', 'should')}, but is {first['input']!r:.60}"
    return f"'{field}' {wrong}" if field else f"the content {wrong}"


def _whole(folder: Path) -> Path | None:
    """The path of the whole folder, which is beside its place if a save was interrupted between its two renames."""
    return next((path for path in (folder, _beside(folder, "old")) if os.path.isfile(path / MANIFEST)), None)


def _checked(path: Path, expected: Any) -> bytes:
    data = read_bytes(path, _LARGEST_JSON if path.suffix == ".json" else _LARGEST_FOLDER)
    if hashlib.sha256(data).hexdigest() != expected:
        raise CheckpointError(
            f"The file {path.name} of {path.parent.name} has changed (its sha256 differs from the manifest's); "
            "copy the checkpoint again."
        )
    return data


def _swap(folder: Path, new: Path, old: Path) -> None:
    if folder.exists():
        shutil.rmtree(old, ignore_errors=True)
        folder.rename(old)
    new.rename(folder)
    _flush_folder(folder.parent)
    shutil.rmtree(old, ignore_errors=True)


def _beside(folder: Path, kind: str) -> Path:
    return folder.with_name(f".{folder.name}.{kind}")


def _sha256(data: bytes | Pieces) -> str:
    found = hashlib.sha256()
    for piece in _pieces(data):
        found.update(piece)
    return found.hexdigest()


def _pieces(data: bytes | Pieces) -> Pieces:
    return data if isinstance(data, tuple) else (data,)


def _write(path: Path, data: bytes | Pieces) -> None:
    with path.open("wb") as file:
        for piece in _pieces(data):
            file.write(piece)
        file.flush()
        os.fsync(file.fileno())


def _flush_folder(folder: Path) -> None:
    """Make renames survive a power cut, where the system can flush folders."""
    if os.name == "posix":
        descriptor = os.open(folder, os.O_RDONLY)
        os.fsync(descriptor)
        os.close(descriptor)
