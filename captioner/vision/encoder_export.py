"""The export of a Keras network to the file that LiteRT runs, with the measured agreement of the two.

Finding or making an exported encoder by its name is left to `captioner.vision.encoders`.
"""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import replace
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from captioner.config import FLOAT16, INT8
from captioner.vision.encoder import CLASSES, GRID, PICTURE, REGIONAL, Encoder, Facts
from captioner.vision.keras_networks import Network

_STRONGEST = 9  # regions that count for a class


def export(network: Network, compared: np.ndarray, precision: str = FLOAT16, calibration: Sequence[np.ndarray] = ()) -> Encoder:
    """The network in this precision, its agreement with the Keras network measured on the `compared` pictures.

    The `calibration` pictures set the ranges of int8's integers. All pictures are uint8 (size, size, 3).
    """
    import tensorflow as tf

    with TemporaryDirectory() as folder:
        _with_outputs(network).export(folder, verbose=False)
        converter = tf.lite.TFLiteConverter.from_saved_model(folder)
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        if precision == FLOAT16:
            converter.target_spec.supported_types = [tf.float16]
        else:
            converter.representative_dataset = lambda: _one_by_one(calibration)
        data = converter.convert()
    rows, columns, channels = network.model.output_shape[1:]
    digest = hashlib.sha256(data).hexdigest()
    facts = Facts(
        name=network.name,
        size=network.size,
        rows=rows,
        columns=columns,
        channels=channels,
        precision=precision,
        fingerprint=_of_int8(network, digest) if precision == INT8 else network.fingerprint,
        sha256=digest,
        made={"tensorflow": tf.__version__, "calibration_pictures": len(calibration)},
    )
    return Encoder(replace(facts, agreement=agreement(network, Encoder(facts, data), compared)), data)


def _of_int8(network: Network, digest: str) -> str:
    """A fingerprint of weights, precision and file."""
    return hashlib.sha256(f"{network.fingerprint} {INT8} {digest}".encode()).hexdigest()[:16]


def agreement(network: Network, encoder: Encoder, pictures: np.ndarray) -> dict[str, float]:
    """The agreement of the exported network's features and classes with the Keras network's.

    - cosine and least_cosine: the mean over the pictures, and the least, of the cosine between the two arrays of features;
    - largest_difference: of any feature, and largest_feature for comparison;
    - same_class: the share of the pictures with the same likeliest class, for a network with a classifier.
    """
    expected, seen = network.encode(pictures), encoder.see(pictures)
    products = (expected * seen.features).sum(axis=(1, 2))
    cosines = products / np.sqrt((expected**2).sum(axis=(1, 2)) * (seen.features**2).sum(axis=(1, 2)))
    found = {
        "cosine": cosines.mean(),
        "least_cosine": cosines.min(),
        "largest_difference": np.abs(expected - seen.features).max(),
        "largest_feature": expected.max(),
    }
    if network.classifier is not None and seen.classes is not None:
        kernel, bias = network.classifier
        likeliest = (expected.mean(axis=1) @ kernel + bias).argmax(axis=1)
        found["same_class"] = (likeliest == seen.classes.argmax(axis=1)).mean()
    return {"pictures": len(pictures)} | {name: float(f"{value:.6g}") for name, value in found.items()}


def _with_outputs(network: Network) -> Any:
    """A Keras model from a uint8 picture to the grid and, with a classifier, to the two kinds of class probabilities.

    The classifier is linear, so the mean of its scores over the regions are its scores for the mean feature.
    """
    import keras

    picture = keras.Input((network.size, network.size, 3), batch_size=1, dtype="uint8", name=PICTURE)
    grid = network.model(keras.ops.cast(picture, "float32"))
    outputs = {GRID: grid}
    if network.classifier is not None:
        kernel, bias = network.classifier
        layer = keras.layers.Conv2D(len(bias), 1, name="classifier")
        scores = keras.ops.reshape(layer(grid), (1, -1, len(bias)))  # (1, regions, classes)
        layer.set_weights([kernel[None, None], bias])
        outputs[CLASSES] = keras.ops.softmax(keras.ops.mean(scores, axis=1))
        by_class = keras.ops.transpose(keras.ops.softmax(scores), (0, 2, 1))
        strongest, _ = keras.ops.top_k(by_class, min(_STRONGEST, by_class.shape[-1]))
        outputs[REGIONAL] = keras.ops.mean(strongest, axis=-1)
    return keras.Model(picture, outputs)


def _one_by_one(pictures: Sequence[np.ndarray]) -> Iterator[list[np.ndarray]]:
    for picture in pictures:
        yield [picture[None]]
