"""The file formats of data sets (Flickr8k in two layouts, captions by split, COCO captions), recognised by names and parsed.

Finding the pictures and leaving out unusable ones is left to `captioner.data.datasets`.
"""

import csv
import hashlib
import io
import json
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from captioner.errors import DatasetError

SHAPES = "shapes"
SPLITS = ("train", "dev", "test")
JOINS = "+"  # between the names of data sets that are used together

_TOKENS, _LIST, _TABLE, _COCO = "Flickr8k.token.txt", "Flickr_8k.{}Images.txt", "captions.txt", "captions_{}{}.json"
BY_SPLIT, OWN_PHOTOGRAPHS = "captions.{}.txt", "photographs"
_PHOTOGRAPHS = ("Flickr8k_Dataset/Flicker8k_Dataset", "Flicker8k_Dataset", "Flickr8k_Dataset", "Images", "images")
_YEARS = ("2017", "2014")

Captions = dict[str, list[str]]


@dataclass(frozen=True)
class Layout:
    """The contents of a data set's files; lists and folders are by split."""

    name: str
    captions: Captions
    lists: dict[str, list[str]]
    folders: dict[str, Path]


def recognise(folder: Path) -> Layout:
    """Recognise and parse the data set in this folder."""
    if tokens := _find(folder, _TOKENS):
        return _flickr8k(folder, tokens)
    if table := _find(folder, _TABLE):
        return _flickr8k_table(folder, table)
    if train := _find(folder, BY_SPLIT.format(SPLITS[0])):
        return _by_split(folder, train.parent)
    for year in _YEARS:
        if annotations := _find(folder, _COCO.format("train", year)):
            return _coco(folder, annotations.parent, year)
    raise DatasetError(
        f"The folder '{folder}' holds neither {_TOKENS} nor {_TABLE} nor {BY_SPLIT.format(SPLITS[0])} nor "
        f"annotations/{_COCO.format('train', _YEARS[0])}; give the folder of a data set, or the word {SHAPES}."
    )


def _flickr8k(folder: Path, tokens: Path) -> Layout:
    """The official layout: a file of numbered captions, and a list of names for each split."""
    captions = _numbered(tokens)
    lists = {split: [line.strip() for _, line in numbered_lines(tokens.with_name(_LIST.format(split)))] for split in SPLITS}
    return Layout("flickr8k", captions, lists, dict.fromkeys(SPLITS, _photographs(folder, tokens)))


def _by_split(folder: Path, texts: Path) -> Layout:
    """A data set named like its folder: a file of numbered captions for each split, and one folder of photographs.

    Without the files of dev and test it only adds to the training photographs of other data sets.
    """
    files = {split: texts / BY_SPLIT.format(split) for split in SPLITS}
    train, *others = SPLITS
    splits = SPLITS if any(files[split].is_file() for split in others) else (train,)
    parts = {split: _numbered(files[split]) for split in splits}
    captions = {name: said for part in parts.values() for name, said in part.items()}
    name = folder.resolve().name.lower().replace(JOINS, "-")
    lists = {split: list(part) for split, part in parts.items()}
    return Layout(name, captions, lists, dict.fromkeys(parts, _first_folder([texts / OWN_PHOTOGRAPHS])))


def _numbered(path: Path) -> Captions:
    """The captions of a file in Flickr8k's line form."""
    captions: Captions = {}
    for number, line in numbered_lines(path):
        key, _, text = line.partition("\t")
        name, _, place = key.strip().rpartition("#")
        if not name or not place.isdigit():
            raise DatasetError(f"{path.name}, line {number}: expected 'image.jpg#0<TAB>caption', but found '{line[:60]}'.")
        captions.setdefault(name, []).append(text)
    return captions


def _flickr8k_table(folder: Path, table: Path) -> Layout:
    """The other layout: one table of names and captions, split 6:1:1 by the names' hashes."""
    captions: Captions = {}
    for name, text in _rows(table):
        captions.setdefault(name, []).append(text)
    names = _shuffled(captions)
    part = max(1, round(len(names) / 8))
    lists = {"train": names[2 * part :], "dev": names[:part], "test": names[part : 2 * part]}
    return Layout("flickr8k", captions, lists, dict.fromkeys(SPLITS, _photographs(folder, table)))


def _coco(folder: Path, annotations: Path, year: str) -> Layout:
    """COCO: its train file is train; its val file is split into dev and test by the names' hashes."""
    train, val = (_annotations(annotations / _COCO.format(part, year)) for part in ("train", "val"))
    names = _shuffled(val)
    half = len(names) // 2
    lists = {"train": list(train), "dev": names[:half], "test": names[half:]}
    folders = [_first_folder([folder / f"{part}{year}", folder / f"images/{part}{year}"]) for part in ("train", "val", "val")]
    return Layout(f"coco{year}", train | val, lists, dict(zip(SPLITS, folders, strict=True)))


def _annotations(path: Path) -> Captions:
    """The captions of a COCO file by photograph, without captions of photographs that it does not list."""
    try:
        content = json.loads(read_text(path))
        names = {image["id"]: image["file_name"] for image in content["images"]}
        captions: Captions = {name + "": [] for name in names.values()}
        for annotation in content["annotations"]:
            if annotation["image_id"] in names:
                captions[names[annotation["image_id"]]].append(annotation["caption"] + "")
    except json.JSONDecodeError as error:
        raise DatasetError(f"{path.name}, line {error.lineno}: not JSON ({error.msg}); download the file again.") from error
    except (KeyError, TypeError, RecursionError) as error:
        raise DatasetError(
            f"{path.name} is not a COCO captions file: expected images with id and file_name, and annotations with image_id "
            f"and caption, but found {type(error).__name__} {error}; download the file again."
        ) from error
    return captions


def _rows(table: Path) -> Iterator[tuple[str, str]]:
    reader = csv.reader(io.StringIO(read_text(table), newline=""), strict=True)
    start = 1
    try:
        header = ",".join(cell.strip().lower() for cell in next(reader, []))
        if header != "image,caption":
            raise DatasetError(f"{table.name}, line 1: expected 'image,caption', but found '{header[:60]}'.")
        start = reader.line_num + 1
        for row in reader:
            if len(row) == 1 and row[0].strip():
                raise DatasetError(f"{table.name}, line {start}: expected 'image.jpg,caption', but found '{row[0][:60]}'.")
            if len(row) > 1:
                # Commas in a caption without quotation marks belong to the caption.
                yield row[0].strip(), ",".join(row[1:])
            start = reader.line_num + 1
    except csv.Error as error:
        raise DatasetError(f"{table.name}, line {start}: {error}; check the quotation marks from that line on.") from error


def _shuffled(names: Iterable[str]) -> list[str]:
    """Names in an order that depends only on the names."""
    return sorted(names, key=lambda name: hashlib.sha256(name.encode()).digest())


def _find(folder: Path, name: str) -> Path | None:
    """The file of this name in the folder or one of its direct subfolders."""
    inside = sorted(Path(entry.path) for entry in os.scandir(folder) if entry.is_dir())
    return next((place / name for place in (folder, *inside) if (place / name).is_file()), None)


def _photographs(folder: Path, captions: Path) -> Path:
    """Flickr8k's folder of photographs under one of its usual names, or else the captions' folder."""
    return _first_folder([*(folder / name for name in _PHOTOGRAPHS), captions.parent])


def _first_folder(candidates: list[Path]) -> Path:
    for candidate in candidates:
        if candidate.is_dir():
            return candidate
    raise DatasetError(f"There is no folder '{candidates[0]}' with the photographs; create it.")


def numbered_lines(path: Path) -> Iterator[tuple[int, str]]:
    """Non-empty lines with their numbers."""
    lines = enumerate(io.StringIO(read_text(path), newline=None), 1)
    return ((number, line.rstrip("\n")) for number, line in lines if line.strip())


def read_text(path: Path) -> str:
    """The text of a UTF-8 file, without a byte-order mark."""
    try:
        data = path.read_bytes()
        return data.decode("utf-8-sig")
    except OSError as error:
        raise DatasetError(f"{path.name} cannot be read ({error.strerror}); put it into '{path.parent}'.") from error
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise DatasetError(f"{path.name}, line {line}: byte {error.start} is not UTF-8; save the file as UTF-8.") from error
