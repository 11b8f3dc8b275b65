"""What a decoder is made of and how it was trained, as far as its files say; neither weights nor TensorFlow are loaded."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from captioner.checkpoints import HISTORY
from captioner.errors import CheckpointError
from captioner.figures.histories import History, read_history
from captioner.figures.parameters import Parameters, count_parameters
from captioner.folders import read_json


@dataclass(frozen=True)
class Facts:
    """None stands for what a file does not say."""

    parameters: Parameters | None = None
    history: History | None = None
    seed: int | None = None


def read_facts(folder: Path) -> tuple[Facts, list[CheckpointError]]:
    """Of the decoder in this folder, and a sentence for everything that cannot be read."""
    found: dict[str, Any] = {}
    problems: list[CheckpointError] = []
    readers = (("parameters", count_parameters), ("history", lambda of: read_history(of / HISTORY)), ("seed", _seed))
    for name, read in readers:
        try:
            found[name] = read(folder)
        except CheckpointError as error:
            problems.append(error)
    return Facts(**found), problems


def _seed(folder: Path) -> int:
    try:
        return int(read_json(folder / "config.json")["seed"])
    except (KeyError, TypeError, ValueError) as error:
        raise CheckpointError(f"The config.json of {folder.name} names no seed; copy the checkpoint again.") from error
