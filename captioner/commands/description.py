"""A decoder by numbers: its layers with their weights' shapes and how many of them training moves, built without data."""

from typing import Any

import numpy as np

from captioner.config import Preset, find_variant
from captioner.model.decoder import Decoder


def describe(
    preset: Preset, variant: str, words: int, features: int, regions: int, rows: int | None = None
) -> dict[str, Any]:
    """The decoder of a preset that scores so many words; `rows` are those of its word table where it has more.

    `features` are the numbers of one region of the photograph, `regions` counts them.
    """
    frozen, config = find_variant(variant).frozen, preset.decoder
    vectors = np.zeros((rows or words, config.embedding_dimensions), np.float32)
    decoder = Decoder(config, vectors, features, frozen, regions=regions, words=words)
    moved = {id(variable) for variable in decoder.trainable_variables}
    layers: dict[str, dict[str, Any]] = {}
    for variable in decoder.weights:
        name, _, weight = variable.path.removeprefix("decoder/").partition("/")
        layer = layers.setdefault(name, {"name": name, "parameters": 0, "trainable": 0, "weights": {}})
        size = int(np.prod(variable.shape))
        layer["parameters"] += size
        layer["trainable"] += size if id(variable) in moved else 0
        layer["weights"][weight or name] = list(variable.shape)
    found = list(layers.values())
    return {name: sum(layer[name] for layer in found) for name in ("parameters", "trainable")} | {"layers": found}
