"""How many numbers a decoder consists of, from the heads of its files alone: neither weights nor TensorFlow are loaded.

The CNN that looks at the photograph is not counted: it is the same for all decoders and belongs to none.
"""

import math
from dataclasses import dataclass
from pathlib import Path

from safetensors import SafetensorError, safe_open

from captioner.config import find_variant
from captioner.errors import CheckpointError

WEIGHTS, TABLE = "decoder.safetensors", "table.safetensors"
_STATISTICS = ("image_norm/mean", "image_norm/variance")  # They are counted in training, not trained.


@dataclass(frozen=True)
class Parameters:
    """Those that training learned; and the others: a word table that it left as it was, and what batch normalisation counted."""

    trainable: int
    frozen: int


def count_parameters(folder: Path) -> Parameters:
    """Of the decoder in this folder, which is named after its variant."""
    shapes = tensor_shapes(folder / WEIGHTS)
    counted = sum(math.prod(shape) for name, shape in shapes.items() if name.endswith(_STATISTICS))
    weights = sum(map(math.prod, shapes.values())) - counted
    table = math.prod(tensor_shapes(folder / TABLE).get("vectors", (0,)))
    frozen = find_variant(folder.name).frozen
    return Parameters(weights, table + counted) if frozen else Parameters(weights + table, counted)


def tensor_shapes(path: Path) -> dict[str, tuple[int, ...]]:
    """The names and shapes of a file's tensors, from its head."""
    try:
        with safe_open(path, "np") as file:
            return {name: tuple(file.get_slice(name).get_shape()) for name in file.keys()}
    except (SafetensorError, OSError) as error:
        raise CheckpointError(f"The file {path.name} of {path.parent.name} does not hold tensors; copy it again.") from error
