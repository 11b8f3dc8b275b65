"""What a decoder is made of and how it was trained, as far as its files say; neither weights nor TensorFlow are loaded."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from captioner.errors import CheckpointError
from captioner.figures.curves.histories import History, read_history
from captioner.figures.decoder.parameters import Parameters, count_parameters
from captioner.model.checkpoints import HISTORY


@dataclass(frozen=True)
class Facts:
    """None stands for what a file does not say."""

    parameters: Parameters | None = None
    history: History | None = None


def read_facts(folder: Path) -> tuple[Facts, list[CheckpointError]]:
    """Of the decoder in this folder, and a sentence for everything that cannot be read."""
    found: dict[str, Any] = {}
    problems: list[CheckpointError] = []
    for name, read in (("parameters", count_parameters), ("history", lambda of: read_history(of / HISTORY))):
        try:
            found[name] = read(folder)
        except CheckpointError as error:
            problems.append(error)
    return Facts(**found), problems
