"""Photographs with a label and no caption, of which a tenth is held out of all training.

A folder holds the photographs in `labelled/` and the labels in `labels.tsv`, with lines `image.jpg<TAB>label`. What a label
accepts in a caption is left to `captioner.scoring.object_names`.
"""

import hashlib
import json
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from captioner.data.dataset_formats import numbered_lines
from captioner.data.datasets import Record
from captioner.errors import DatasetError

LABELS, PHOTOGRAPHS = "labels.tsv", "labelled"
_TENTH = 10
_WHOLE = 2**256  # the number of SHA-256 hashes


@dataclass(frozen=True, slots=True)
class Labelled(Record):
    """A photograph and the name of what it shows."""

    label: str = ""


@dataclass(frozen=True)
class LabelledSet:
    """Labelled photographs to train with, others that no training may see, and the names of missing ones."""

    name: str
    train: tuple[Labelled, ...]
    held_out: tuple[Labelled, ...]
    missing: tuple[str, ...] = ()


def mark(records: Sequence[Labelled]) -> str:
    """The name of the set, and a hash of the names and labels of these of its photographs."""
    rows = [(record.name, record.label) for record in records]
    return f"{records[0].origin}-{hashlib.sha256(json.dumps(rows).encode()).hexdigest()[:8]}"


def load_labels(folder: str | Path) -> LabelledSet:
    """Load a folder of labelled photographs."""
    place, photographs = Path(folder).resolve(), Path(folder) / PHOTOGRAPHS
    labels = _read(Path(folder) / LABELS)
    try:
        present = set(os.listdir(photographs))
    except OSError as error:
        raise DatasetError(f"The folder '{photographs}' cannot be read ({error.strerror}); put the photographs there.") from error
    name = place.name.lower()
    records = [
        Labelled(file, (), photographs / file, name, label) for file, label in sorted(labels.items()) if file in present
    ]
    if not records:
        raise DatasetError(f"The folder '{photographs}' has no photograph of those in {LABELS}; add some.")
    held = held_out({record.name: record.label for record in records})
    return LabelledSet(
        name,
        tuple(record for record in records if record.name not in held),
        tuple(record for record in records if record.name in held),
        tuple(sorted(set(labels) - present)),
    )


def _read(path: Path) -> dict[str, str]:
    labels: dict[str, str] = {}
    for number, line in numbered_lines(path):
        name, tab, label = (part.strip() for part in line.partition("\t"))
        if not (name and any(map(str.isalnum, label))):
            raise DatasetError(f"{path.name}, line {number}: expected 'image.jpg<TAB>label', but found '{line[:60]}'.")
        if labels.setdefault(name, label) != label:
            raise DatasetError(f"{path.name}, line {number}: '{name}' already has the label '{labels[name]}'; keep one of them.")
    return labels


def held_out(labels: dict[str, str]) -> set[str]:
    """The files that are held out, which follow from the names of the files and labels alone.

    Of ten or more photographs of a label, a tenth: those with the lowest hashes of their names. Of fewer, a tenth would be
    none; each is held out if its hash is in the lowest tenth of all hashes.
    """
    by_label: dict[str, list[str]] = {}
    for name, label in labels.items():
        by_label.setdefault(label, []).append(name)
    return {name for names in by_label.values() for name in _lowest(names)}


def _lowest(names: Iterable[str]) -> list[str]:
    hashes = {name: int.from_bytes(hashlib.sha256(name.encode(errors="surrogateescape")).digest()) for name in names}
    if len(hashes) < _TENTH:
        return [name for name, value in hashes.items() if value * _TENTH < _WHOLE]
    return sorted(hashes, key=hashes.__getitem__)[: round(len(hashes) / _TENTH)]
