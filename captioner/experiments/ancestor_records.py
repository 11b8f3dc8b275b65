"""The comparison of the older recipes: which trainings it takes, and what is kept of each in one small file.

Training them is left to `captioner.experiments.ancestor_trials`, what they say to `captioner.figures`: `ancestors`, `ancestor_sentences` and
`open_question`.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from captioner.config import JOINED, STAGES, STANDARD, VARIANTS, Preset, find_variant
from captioner.config_io import to_json
from captioner.errors import CheckpointError, ConfigError
from captioner.presets import ANCESTORS, PARTS, find_preset
from captioner.storage import read_json, write_json

ANCESTORS_FILE = "ancestors.json"
SPLITS = ("dev", "test")
MEASURED = ("cider", "bleu4", "rouge_l")
_NUMBERS = ("fastest_epoch", "ms_per_caption", "trainable", "frozen", "cores", "trained_on", "words")
COURSE, STACKED = "course", "stacked"
DIMENSIONS, ENDS = (10, 50, 100, 300), (10, 300)
QUESTION_SEEDS = (1, 2)
_ANEW = "delete it, and python -m captioner ancestors --data DIR trains anew what is missing"


@dataclass(frozen=True)
class Ancestor:
    """One training of the comparison: a preset with a word table, and what is changed about it."""

    preset: str
    variant: str
    dimensions: int
    seed: int = 1
    activation: str = "tanh"
    splits: str = STANDARD

    @cached_property
    def settings(self) -> Preset:
        found = find_preset(self.preset)
        changed = replace(found.decoder, embedding_dimensions=self.dimensions, activation=self.activation)
        return replace(found, decoder=changed)

    @property
    def place(self) -> Path:
        """Where it is trained, below the folder of the runs."""
        parts = [self.preset, f"{self.dimensions}", self.activation, self.splits]
        return Path("-".join(parts)) / f"seed{self.seed}"

    def __str__(self) -> str:
        more = [self.activation] * (self.activation != "tanh") + [self.splits] * (self.splits != STANDARD)
        return ", ".join([self.preset, self.variant, f"{self.dimensions} dimensions", f"seed {self.seed}", *more])


def _of(preset: str, variant: str, **changes: Any) -> Ancestor:
    """With as many dimensions as the preset has, unless it is said otherwise."""
    return Ancestor(preset, variant, **({"dimensions": find_preset(preset).decoder.embedding_dimensions} | changes))


def plan(parts: Iterable[str] = PARTS) -> list[Ancestor]:
    """The trainings of these parts, each once: the table, the open question, and what the notes on `stacked` take."""
    table = [_of(preset, variant) for preset in ANCESTORS for variant in VARIANTS]
    question = [
        _of(COURSE, variant, dimensions=dimensions, seed=seed)
        for seed in QUESTION_SEEDS
        for variant, all_dimensions in (("word2vec", DIMENSIONS), ("fasttext", DIMENSIONS), ("random", ENDS))
        for dimensions in all_dimensions
    ]
    notes = [_of(STACKED, "word2vec", activation="relu"), _of(STACKED, "word2vec", splits=JOINED)]
    found = {"table": table, "question": question, "notes": [_of(STACKED, "word2vec"), *notes]}
    return list(dict.fromkeys(ancestor for part in PARTS if part in parts for ancestor in found[part]))


@dataclass(frozen=True, eq=False)
class Record:
    """What is kept of a training: plain data."""

    ancestor: Ancestor
    data: Mapping[str, Any]

    @property
    def gave_up(self) -> str:
        """Why it was given up; nothing where it came to its end."""
        return self.data["gave_up"]

    @property
    def title(self) -> str:
        return find_variant(self.ancestor.variant).title

    @property
    def losses(self) -> list[tuple[float, float]]:
        """Training and dev, epoch by epoch."""
        return [(training, dev) for training, dev in self.data["losses"]]

    def metric(self, split: str, name: str) -> float:
        return self.data[split]["metrics"][name]

    def has(self, split: str) -> bool:
        return split in self.data


def facts_of(ancestor: Ancestor) -> dict[str, Any]:
    """What tells a record which training it is of, and with which settings."""
    own = {name: getattr(ancestor, name) for name in ("preset", "variant", "dimensions", "seed", "activation", "splits")}
    return own | {"settings": to_json(ancestor.settings)}


def find_file(folder: Path) -> Path:
    """Where the records of these decoders lie: beside them, or beside the folders of their stages."""
    places = (folder, folder.parent) if folder.name in STAGES else (folder,)
    return next((place / ANCESTORS_FILE for place in places if (place / ANCESTORS_FILE).is_file()), folder / ANCESTORS_FILE)


def read_records(folder: Path) -> list[Record]:
    """All that is there; one that is damaged, or was made with other settings than this version's, is refused."""
    path = find_file(folder)
    if not path.is_file():
        return []
    stored = read_json(path)
    try:
        records = [_record(row, path) for row in stored["trainings"]]
        if len({record.ancestor for record in records}) < len(records):
            raise ValueError
        return records
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError, ConfigError) as error:
        raise CheckpointError(f"The file {path} is damaged; {_ANEW}.") from error


def _record(row: Mapping[str, Any], path: Path) -> Record:
    ancestor = Ancestor(**{name: row[name] for name in ("preset", "variant", "dimensions", "seed", "activation", "splits")})
    if any(row[name] != value for name, value in facts_of(ancestor).items()):
        raise CheckpointError(f"The record of {ancestor} in {path} was made with other settings than the preset’s; {_ANEW}.")
    scored = [row[split] for split in SPLITS if split in row]
    numbers = [number for pair in row["losses"] for number in pair]
    texts = [row[name] for name in ("made_with", "data", "encoder", "gave_up")]
    if not row["gave_up"]:
        numbers += [row[name] for name in _NUMBERS]
        if not all(name in part[what] for part in scored for name in MEASURED for what in ("metrics", "intervals")):
            raise ValueError
        numbers += [value for part in scored for value in part["metrics"].values()]
        numbers += [end for part in scored for ends in part["intervals"].values() for end in _pair(ends)]
    whole = row["gave_up"] or ("test" in row and row["losses"])
    told = all(isinstance(text, str) for text in texts) and all(map(math.isfinite, numbers))
    if not (whole and told) or not all(len(pair) == 2 for pair in row["losses"]):
        raise ValueError
    find_variant(ancestor.variant)
    return Record(ancestor, row)


def _pair(ends: Sequence[float]) -> tuple[float, float]:
    low, high = ends
    return low, high


def save_records(folder: Path, records: Sequence[Record]) -> None:
    """In the order of the plan, whenever each of them was trained."""
    order = {ancestor: place for place, ancestor in enumerate(plan())}
    rows = sorted(records, key=lambda record: order.get(record.ancestor, len(order)))
    write_json(folder / ANCESTORS_FILE, {"trainings": [dict(record.data) for record in rows]})
