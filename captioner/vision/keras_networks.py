"""The CNNs that can be encoders, as Keras networks: fine-tuned, exported, or measured against, but not captioned with.

Their exported form, which captions are made with, is left to `captioner.vision.encoder_export` and `captioner.vision.encoder`.
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

from captioner.config import ADAPTED, LITE2
from captioner.errors import EncoderError
from captioner.runtime import start_tensorflow
from captioner.storage import load_folder
from captioner.vision import efficientnet_lite2, keras_applications
from captioner.vision.keras_applications import APPLICATIONS

ENCODERS = (LITE2, ADAPTED, *APPLICATIONS)
ADAPTED_WEIGHTS = "encoder.safetensors"
_BATCH = 16  # pictures; larger batches are no faster on a CPU, and take memory in proportion


@dataclass(frozen=True, eq=False)
class Network:
    """A frozen CNN from uint8 pictures to its last grid, and its classifier (kernel and bias) where it comes with one."""

    name: str
    size: int
    model: Any
    fingerprint: str  # of name, size and weights
    classifier: tuple[np.ndarray, np.ndarray] | None = None

    def encode(self, pictures: np.ndarray) -> np.ndarray:
        """Squashed pictures, uint8 (pictures, size, size, 3), to features, float32 (pictures, regions, channels)."""
        parts = (pictures[first : first + _BATCH] for first in range(0, len(pictures), _BATCH))
        return np.concatenate([self._grid(part).numpy().reshape(len(part), -1, self.model.output_shape[-1]) for part in parts])

    @cached_property
    def _grid(self) -> Any:
        import tensorflow as tf

        signature = [tf.TensorSpec((None, self.size, self.size, 3), tf.uint8)]
        return tf.function(lambda pictures: self.model(tf.cast(pictures, tf.float32), training=False), signature, autograph=False)


def input_size(name: str) -> int:
    """The side of the square that an encoder takes."""
    return APPLICATIONS[name].size if name in APPLICATIONS else efficientnet_lite2.SIZE


def find_encoder(name: str) -> str:
    """The program's spelling of an encoder's name, whatever its capitals."""
    if name.lower() not in ENCODERS:
        raise EncoderError(f"There is no encoder '{name}'; choose one of {', '.join(ENCODERS)}.")
    return name.lower()


def build(name: str, weights: str | Path | None = None, adapted: Path | None = None) -> Network:
    """The network of this name; `weights` is a file for one of `keras.applications`, `adapted` the fine-tuned one's folder."""
    _require_tensorflow(name)
    if name in APPLICATIONS:
        model = keras_applications.build(name, weights)
        return Network(name, input_size(name), model, _fingerprint(name, _arrays_sha256(model.get_weights())))
    if name == ADAPTED:
        if adapted is None:
            raise EncoderError(f"There is no folder with the encoder {ADAPTED}; restore checkpoints/encoder.")
        return fine_tuned(read_adapted(adapted))
    tensors = efficientnet_lite2.read_weights()
    return _lite2(LITE2, efficientnet_lite2.build(tensors), lite2_fingerprint(), tensors)


def fine_tuned(weights: Mapping[str, np.ndarray]) -> Network:
    """EfficientNet-Lite2 with these weights by the names of its convolutions; the others and the classifier stay."""
    tensors = efficientnet_lite2.read_weights()
    model = efficientnet_lite2.build(tensors)
    variables = {variable.path: variable for variable in model.variables}
    if not weights:
        raise EncoderError("The fine-tuned encoder holds no weights; copy it again.")
    for name, values in weights.items():
        if name not in variables or values.shape != tuple(variables[name].shape) or not np.isfinite(values).all():
            raise EncoderError(f"The fine-tuned encoder's '{name}' does not fit the network; copy it again.")
        variables[name].assign(values.astype(np.float32))
    return _lite2(ADAPTED, model, adapted_fingerprint(weights), tensors)


def _lite2(name: str, model: Any, fingerprint: str, tensors: Mapping[str, np.ndarray]) -> Network:
    return Network(name, efficientnet_lite2.SIZE, model, fingerprint, (tensors["_fc.weight"].T, tensors["_fc.bias"]))


def _require_tensorflow(name: str) -> None:
    try:
        start_tensorflow()
    except ImportError as error:
        raise EncoderError(
            f"The encoder {name} has not been exported here, and to export it TensorFlow must be installed; "
            "run pip install -r requirements.txt."
        ) from error


def read_adapted(folder: Path) -> dict[str, np.ndarray]:
    """The fine-tuned weights in a folder, by the names of the network's convolutions."""
    try:
        return load_tensors(load_folder(folder)[ADAPTED_WEIGHTS])
    except (SafetensorError, KeyError) as error:
        raise EncoderError(f"The fine-tuned encoder in {folder.name} cannot be used ({error}); copy it again.") from error


def lite2_fingerprint() -> str:
    """The fingerprint of the original EfficientNet-Lite2, without building it."""
    return _fingerprint(LITE2, efficientnet_lite2.SHA256)


def adapted_fingerprint(weights: Mapping[str, np.ndarray]) -> str:
    """The fingerprint of the network with these fine-tuned weights, without building it."""
    return _fingerprint(ADAPTED, _arrays_sha256(weights[name] for name in sorted(weights)))


def _arrays_sha256(arrays: Iterable[np.ndarray]) -> str:
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


def _fingerprint(name: str, weights_sha256: str) -> str:
    return hashlib.sha256(f"{name} {input_size(name)} {weights_sha256}".encode()).hexdigest()[:16]
