"""How many numbers a decoder consists of, from the heads of its files alone: neither weights nor TensorFlow are loaded.

The CNN that looks at the photograph is not counted: it is the same for all decoders and belongs to none.
"""

import math
from dataclasses import dataclass
from pathlib import Path

from safetensors import SafetensorError, safe_open

from captioner.config import find_variant
from captioner.errors import CheckpointError

_WEIGHTS, _TABLE = "decoder.safetensors", "table.safetensors"


@dataclass(frozen=True)
class Parameters:
    """Those that training changed, and those of a word table that it left as they were."""

    trainable: int
    frozen: int


def count_parameters(folder: Path) -> Parameters:
    """Of the decoder in this folder, which is named after its variant."""
    weights, table = sum(_sizes(folder / _WEIGHTS).values()), _sizes(folder / _TABLE)["vectors"]
    return Parameters(weights, table) if find_variant(folder.name).frozen else Parameters(weights + table, 0)


def _sizes(path: Path) -> dict[str, int]:
    try:
        with safe_open(path, "np") as file:
            return {name: math.prod(file.get_slice(name).get_shape()) for name in file.keys()}
    except (SafetensorError, OSError) as error:
        raise CheckpointError(f"The file {path.name} of {path.parent.name} does not hold tensors; copy it again.") from error
