"""The layers of a decoder and the shapes of their weights, derived from its settings without TensorFlow.

The Keras decoder is built from them; checkpoints, figures and `describe` take shapes and parameter counts from here.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, get_args, get_origin, get_type_hints

import numpy as np

from captioner.config import DecoderConfig
from captioner.errors import ConfigError
from captioner.model.word_slots import inputs as slot_inputs

# Far beyond any use; they keep a settings file from asking for all memory.
LARGEST_SIZE = 8192
LARGEST_GRID = 500_000  # features of a photograph
_MOST_ACROSS = 100  # regions

TABLE_WEIGHT = "decoder/table"  # A learned table is stored as a table, not among the weights.
NORM = "image_norm"
STATISTICS = (f"{NORM}/mean", f"{NORM}/variance")  # Counted in training, not learned.
MOST_SLOTS = 100
_BLOCKS_ACROSS = 3
BLOCKS = _BLOCKS_ACROSS**2
_CHOICES = {name: get_args(kind) for name, kind in get_type_hints(DecoderConfig).items() if get_origin(kind) is Literal}


@dataclass(frozen=True)
class Part:
    """A layer with weights, and its numbers of inputs and outputs."""

    kind: Literal["dense", "lstm", "norm"]
    inputs: int
    outputs: int
    activation: str = "linear"
    bias: bool = True

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The shape of each weight by its name within the layer."""
        if self.kind == "norm":
            return dict.fromkeys(("scale", "bias", "mean", "variance"), (self.outputs,))
        if self.kind == "lstm":
            gates = 4 * self.outputs
            return {"kernel": (self.inputs, gates), "recurrent_kernel": (self.outputs, gates), "bias": (gates,)}
        shapes: dict[str, tuple[int, ...]] = {"kernel": (self.inputs, self.outputs)}
        return shapes | {"bias": (self.outputs,)} if self.bias else shapes


@dataclass(frozen=True)
class Parameters:
    """Parameter counts; frozen are a frozen word table and the statistics of batch normalisation."""

    trainable: int
    frozen: int


def parts(config: DecoderConfig, channels: int, words: int) -> dict[str, Part]:
    """The layers by name, in the order in which they are built.

    `channels`: features per region. `words`: size of the output vocabulary.
    """
    check(config)
    units, image_units = config.units, config.image_units
    found = _image_parts(config, channels)
    for layer in range(config.layers):
        found[f"lstm{layer}"] = Part("lstm", units if layer else config.embedding_dimensions, units, config.activation)
    width = units
    if config.attends:
        found["query"] = Part("dense", units, image_units)
        width += image_units
    if config.additive:
        found["keys"] = Part("dense", image_units, image_units, bias=False)
        found["energy"] = Part("dense", image_units, 1, bias=False)
        found["context"] = Part("dense", image_units, 4 * units, bias=False)
    if config.hidden_units:
        found["hidden"] = Part("dense", width, config.hidden_units, "relu")
        width = config.hidden_units
    found["words"] = Part("dense", width, words)
    return found | (_slot_parts(config, width) if config.word_slots else {})


def _slot_parts(config: DecoderConfig, width: int) -> dict[str, Part]:
    """The layers that read word slots and copy from them; `width` is that of the output layer's input."""
    units = config.image_units
    return {
        "slot": Part("dense", slot_inputs(config), units, "relu"),
        "slot_key": Part("dense", units, units, bias=False),
        "slot_bias": Part("dense", units, 1, bias=False),
        "copy_query": Part("dense", width, units),
        "copy_gate": Part("dense", width, 1),
    }


def _image_parts(config: DecoderConfig, channels: int) -> dict[str, Part]:
    """The layers from image features to the initial state."""
    width = config.embedding_dimensions if config.image_is_word else config.image_units
    inputs = channels * (BLOCKS if config.pooling == "blocks" else 1)
    if not 0 < inputs <= LARGEST_GRID:
        raise ConfigError(f"A decoder takes 1 to {LARGEST_GRID:,} features of a photograph, not {inputs:,}.")
    found = {"image": Part("dense", inputs, width, "linear" if config.image_is_word else "relu")}
    if config.image_norm == "batch":
        found[NORM] = Part("norm", width, width)
    if config.image_entry in ("attention", "init"):
        names = [f"start_{part}{layer}" for layer in range(config.layers) for part in "hc"]
        found |= dict.fromkeys(names, Part("dense", width, config.units, "tanh"))
    return found


def weight_shapes(found: Mapping[str, Part]) -> dict[str, tuple[int, ...]]:
    """The shape of each weight by its name in a checkpoint, such as `lstm0/kernel`."""
    return {f"{name}/{weight}": shape for name, part in found.items() for weight, shape in part.shapes.items()}


def count_parameters(shapes: Mapping[str, tuple[int, ...]], frozen: bool) -> Parameters:
    """Count the parameters of weights with these shapes, word table included; the shared CNN is not counted."""
    fixed = {*STATISTICS, *([TABLE_WEIGHT] if frozen else [])}
    sizes = {name: math.prod(shape) for name, shape in shapes.items()}
    unlearned = sum(size for name, size in sizes.items() if name in fixed)
    return Parameters(sum(sizes.values()) - unlearned, unlearned)


def block_means(config: DecoderConfig, regions: int) -> np.ndarray | None:
    """The weight of each region of a square grid in the mean of each block, (blocks, regions); None without blocks.

    Where three does not divide the grid, neighbouring blocks share a row or a column.
    """
    if config.pooling != "blocks":
        return None
    side = math.isqrt(regions)
    if side * side != regions or not _BLOCKS_ACROSS <= side <= _MOST_ACROSS:
        raise ConfigError(
            f"Pooling blocks needs a square grid of {_BLOCKS_ACROSS} × {_BLOCKS_ACROSS} to {_MOST_ACROSS} × {_MOST_ACROSS} "
            f"regions, but the encoder gives {regions:,}; use pooling mean or another encoder."
        )
    shares = np.zeros((_BLOCKS_ACROSS, side), np.float32)
    for block, share in enumerate(shares):
        share[block * side // _BLOCKS_ACROSS : -(-(block + 1) * side // _BLOCKS_ACROSS)] = 1
    shares /= shares.sum(axis=1, keepdims=True)
    return np.kron(shares, shares)


def check(config: DecoderConfig) -> None:
    """Raise a `ConfigError` for settings that describe no decoder."""
    for name, known in _CHOICES.items():
        if getattr(config, name) not in known:
            raise ConfigError(f"{name} is one of {', '.join(known)}, not '{getattr(config, name)}'.")
    sizes = (config.units, config.layers, config.image_units, config.heads, config.embedding_dimensions)
    if min(sizes) < 1 or config.hidden_units < 0 or max(*sizes, config.hidden_units) > LARGEST_SIZE:
        raise ConfigError(f"The sizes of a decoder are whole numbers from 1 (hidden_units from 0) to {LARGEST_SIZE}.")
    if not (0 <= config.dropout < 1 and 0 <= config.feature_dropout < 1):
        raise ConfigError("dropout and feature_dropout are shares from 0 to below 1.")
    if config.attends and config.pooling != "mean":
        raise ConfigError("Attention needs every region; pooling blocks goes with image_entry merge, init and pre.")
    if config.attends and not config.additive and config.image_units % config.heads:
        raise ConfigError(f"image_units ({config.image_units}) must be a multiple of heads ({config.heads}).")
    if not 0 <= config.word_slots <= MOST_SLOTS or not 0 <= config.slot_floor < math.inf:
        raise ConfigError(f"word_slots is a whole number from 0 to {MOST_SLOTS}, slot_floor a number of 0 or more.")
    if config.word_slots and (not config.attends or config.additive):
        raise ConfigError("Word slots are rows of the attention by heads; use image_entry attention and attention heads.")
    if config.adds_image and config.image_units != config.units:
        raise ConfigError(f"With image_entry merge, image_units ({config.image_units}) and units ({config.units}) must be equal.")
