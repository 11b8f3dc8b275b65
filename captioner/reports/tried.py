"""What was tried on dev on the way to the shipped setting: one row per run, read from the run's own small files.

A run of this kind is kept without its weights in `tried/NAME/VARIANT/`: config.json, history.json and scores.json.
"""

import dataclasses
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from captioner.config import Preset, find_variant
from captioner.config_io import preset_from_json
from captioner.errors import CheckpointError
from captioner.figures.style import listed
from captioner.model.checkpoints import CONFIG, HISTORY, SCORES
from captioner.presets import PRESETS
from captioner.storage import read_bytes, read_json, write_json

TRIED = "tried"
_LARGEST = 1_000_000
_METRICS = {"cider": "dev CIDEr", "bleu4": "dev BLEU-4", "rouge_l": "dev ROUGE-L"}


def table(folder: Path) -> str:
    """A table of all runs in `tried`, in the order of their names."""
    head = ["run", "setting", "decoder", "stage", "epochs", "best dev loss", "search", *_METRICS.values(), "minutes", "cores"]
    places = list(_places(folder / TRIED))
    rows = [_row(place) for place in places]
    return "\n".join([*(f"| {' | '.join(cells)} |" for cells in (head, ["---"] * len(head), *rows)), "", _whose(places)]) + "\n"


def _whose(places: Sequence[Path]) -> str:
    """Which decoders and seeds the settings were chosen with, since those are at an advantage wherever they are compared."""
    configs = [read_json(place / CONFIG) for place in places]
    titles = listed(sorted({find_variant(config["variant"]).title for config in configs}))
    seeds = listed(sorted({str(config["seed"]) for config in configs}))
    return f"Tried with {titles}, seed {seeds}; what was chosen may suit these a little better than others."


def _places(folder: Path) -> Iterator[Path]:
    return (path.parent for path in sorted(folder.glob(f"*/*/{HISTORY}")))


def _row(place: Path) -> list[str]:
    config, history = read_json(place / CONFIG), read_json(place / HISTORY)
    try:
        scores = read_json(place / SCORES)["dev"]
        own = history["epochs"][history["earlier"] :]
        stage = own[-1].get("stage", "first")
        least = min(epoch["dev_loss"] for epoch in own)
        cells = [place.parent.name, differences(preset_from_json(config["preset"]), config["encoder"]["name"], stage)]
        cells += [find_variant(config["variant"]).title, stage, str(len(own)), f"{least:.3f}"]
        cells.append(f"beam {scores['beam']}, {scores['length_preference']:g}")
        cells += [f"{scores['metrics'][name]:.4f}" for name in _METRICS]
        cells.append(f"{math.fsum(epoch['seconds'] for epoch in own) / 60:.0f}")
        return [*cells, str(min(epoch["cores"] for epoch in own)) if all("cores" in epoch for epoch in own) else ""]
    except (KeyError, TypeError, IndexError) as error:
        raise CheckpointError(f"The run {place} is not complete ({error}); copy its files again.") from error


def differences(preset: Preset, encoder: str, stage: str) -> str:
    """What sets a preset apart from the one of its name, as far as a run of that stage depends on it."""
    preset, named = preset.up_to(stage), PRESETS.get(preset.name, Preset(preset.name)).up_to(stage)
    changes = [f"encoder {encoder}"] if encoder != named.encoder else []
    for part in ("decoder", "training", "embedding", "reward"):
        before, after = (dataclasses.asdict(getattr(one, part)) for one in (named, preset))
        changes += [f"{_title(part)}{name} {_plain(after[name])}" for name in after if after[name] != before[name]]
    return f"{preset.name}, but {', '.join(changes)}" if changes else preset.name


def _title(part: str) -> str:
    return "reward " if part == "reward" else "vectors' " if part == "embedding" else ""


def _plain(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def keep(run: Path, folder: Path, name: str, scores: Mapping[str, Mapping[str, Any]]) -> None:
    """Copy the small files of finished decoders to where they are kept, each with these scores on dev; not the weights."""
    for variant, found in scores.items():
        goal = folder / TRIED / name / variant
        goal.mkdir(parents=True, exist_ok=True)
        for file in (CONFIG, HISTORY):
            (goal / file).write_bytes(read_bytes(run / variant / file, _LARGEST))
        write_json(goal / SCORES, {"dev": found})
