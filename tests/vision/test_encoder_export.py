"""The export against the Keras network and against NumPy, in both precisions; exported encoders by name."""


import numpy as np
import pytest
from safetensors.numpy import save

from captioner import runtime
from captioner.config import ADAPTED, FLOAT16, INT8, LITE2
from captioner.data.samples import SAMPLES
from captioner.errors import EncoderError
from captioner.storage import save_folder
from captioner.vision import encoders, keras_networks
from captioner.vision.encoder import NETWORK, Encoder
from captioner.vision.encoder_export import export
from captioner.vision.encoders import find_folder, fingerprint_in, keep_beside, load_encoder, samples
from captioner.vision.feature_cache import default_folder
from captioner.vision.keras_networks import ADAPTED_WEIGHTS, Network

pytestmark = pytest.mark.slow
SIDE, CHANNELS, CLASSES = 32, 12, 7


@pytest.fixture(scope="module")
def small(tensorflow):
    """A small network with random weights and a classifier; its grid is 4 x 4."""
    import keras

    keras.utils.set_random_seed(2)
    picture = keras.Input((SIDE, SIDE, 3))
    grid = keras.layers.Rescaling(1 / 128, offset=-1)(picture)
    grid = keras.layers.Conv2D(8, 3, strides=4, padding="same", activation="relu6")(grid)
    grid = keras.layers.DepthwiseConv2D(3, padding="same", activation="relu6")(grid)
    grid = keras.layers.Conv2D(CHANNELS, 3, strides=2, padding="same", activation="relu6")(grid)
    random = np.random.default_rng(1)
    classifier = random.normal(size=(CHANNELS, CLASSES)).astype(np.float32), random.normal(size=CLASSES).astype(np.float32)
    return Network("small", SIDE, keras.Model(picture, grid), "0" * 16, classifier)


PICTURES = np.random.default_rng(3).integers(0, 256, (40, SIDE, SIDE, 3), dtype=np.uint8)


@pytest.mark.parametrize(("precision", "tolerance"), [(FLOAT16, 0.01), (INT8, 0.15)])
def test_it_agrees_with_keras_and_with_numpy(small, precision, tolerance):
    encoder = export(small, PICTURES[:20], precision, PICTURES[20:])
    facts = encoder.facts
    assert (encoder.name, encoder.rows, encoder.columns, encoder.channels) == ("small", 4, 4, CHANNELS)
    assert facts.precision == precision and facts.made["calibration_pictures"] == 20
    assert (facts.fingerprint == small.fingerprint) == (precision == FLOAT16)
    seen, features = encoder.see(PICTURES[:20]), small.encode(PICTURES[:20])
    np.testing.assert_allclose(seen.features, features, atol=tolerance)
    assert facts.agreement["largest_difference"] == pytest.approx(np.abs(seen.features - features).max(), rel=1e-3)
    assert facts.agreement["least_cosine"] > (0.999 if precision != INT8 else 0.98) and facts.agreement["pictures"] == 20

    scores = np.exp(features @ small.classifier[0] + small.classifier[1])  # (pictures, regions, classes)
    regions = np.sort(scores / scores.sum(axis=2, keepdims=True), axis=1)
    np.testing.assert_allclose(seen.regional, regions[:, -9:].mean(axis=1), atol=2 * tolerance)
    means = np.exp(features.mean(axis=1) @ small.classifier[0] + small.classifier[1])
    np.testing.assert_allclose(seen.classes, means / means.sum(axis=1, keepdims=True), atol=2 * tolerance)
    assert facts.agreement["same_class"] >= (1.0 if precision != INT8 else 0.8)


def test_a_network_without_classifier_has_no_classes(small, tmp_path):
    bare = Network("small", SIDE, small.model, "1" * 16)
    encoder = export(bare, PICTURES[:2])
    assert encoder.see(PICTURES[:1])[1:] == (None, None) and "same_class" not in encoder.facts.agreement
    save_folder(tmp_path / "encoder", encoder.files())
    again = Encoder.load(tmp_path / "encoder")
    assert again.facts == encoder.facts
    np.testing.assert_array_equal(again.encode(PICTURES[:3]), encoder.encode(PICTURES[:3]))


def test_the_original_network_is_exported_once_and_knows_the_cat_and_the_cup(monkeypatch):
    first = load_encoder(LITE2)
    assert first.name == LITE2 and first.fingerprint == "a4ef9d6347fa3f57" and first.facts.agreement["least_cosine"] > 0.9999
    classes = dict(zip([sample.file for sample in SAMPLES], first.see(samples(first.size)).classes, strict=True))
    for file, label, probability in (("chelsea.png", 285, 0.75), ("coffee.png", 967, 0.87)):
        assert classes[file].argmax() == label and classes[file][label] == pytest.approx(probability, abs=0.015)
    with monkeypatch.context() as patch:
        patch.setattr(encoders, "build", None)  # The second time it comes from the cache.
        assert load_encoder("EfficientNet-Lite2").facts == first.facts
    damaged = next((default_folder() / "encoders").glob(f"{LITE2}-a4*")) / NETWORK
    damaged.write_bytes(b"cut short")
    assert load_encoder(LITE2).fingerprint == first.fingerprint and damaged.stat().st_size > 1e6


def test_several_processes_export_at_once_and_a_cache_that_cannot_be_written(small, tmp_path, monkeypatch):
    encoder, folder = export(small, PICTURES[:2]), tmp_path / "cache" / "small"
    for process in range(2):
        monkeypatch.setattr("os.getpid", lambda process=process: process)
        encoders._keep(encoder, folder)
        assert Encoder.load(folder).facts == encoder.facts and [path.name for path in folder.parent.iterdir()] == ["small"]
    monkeypatch.setenv("TRIPTYCH_CACHE", str(folder / NETWORK))  # a file
    monkeypatch.setattr(encoders, "build", lambda *_, **__: small)
    assert load_encoder(LITE2).name == "small"


def test_where_an_encoder_is_found(small, encoder, tmp_path, monkeypatch):
    run = tmp_path / "run"
    assert find_folder(ADAPTED, run) == encoders.SHIPPED_ENCODER and find_folder("small", run) is None
    own = export(small, PICTURES[:2])
    keep_beside(own, run)
    keep_beside(encoder, run)  # It ships.
    assert find_folder("small", run) == find_folder("small", run / "first") == run / "encoder"
    assert fingerprint_in(run / "encoder") == own.fingerprint
    assert find_folder(ADAPTED, run) == encoders.SHIPPED_ENCODER
    assert fingerprint_in(encoders.SHIPPED_ENCODER) == encoder.fingerprint == "22b17b7f9d769f12"


def test_a_fine_tuned_encoder_that_was_never_exported(tmp_path, encoder):
    """An earlier version left its weights alone beside the decoders."""
    weights = {"conv_head/bias": np.full(1280, 0.5, np.float16)}
    save_folder(tmp_path / "encoder", {ADAPTED_WEIGHTS: save(weights)})
    found = load_encoder(ADAPTED, near=tmp_path / "first")
    assert found.name == ADAPTED and found.fingerprint != encoder.fingerprint
    assert fingerprint_in(tmp_path / "encoder") == found.fingerprint == keras_networks.adapted_fingerprint(weights)
    save_folder(tmp_path / "encoder", {ADAPTED_WEIGHTS: b"no tensors"})
    with pytest.raises(EncoderError, match="cannot be used"):
        load_encoder(ADAPTED, near=tmp_path)


def test_names_and_weights_that_do_not_fit(tmp_path):
    with pytest.raises(EncoderError, match="no encoder 'lite9'"):
        load_encoder("lite9")
    with pytest.raises(EncoderError, match="comes with its weights"):
        load_encoder(LITE2, weights=tmp_path / "weights.h5")


def test_without_tensorflow_an_encoder_that_was_not_exported_is_refused(monkeypatch):
    def missing():
        raise ModuleNotFoundError("No module named 'tensorflow'", name="tensorflow")

    monkeypatch.setattr(runtime, "_imported", missing)
    with pytest.raises(EncoderError, match="mobilenet has not been exported here.*TensorFlow must be installed; run pip install"):
        load_encoder("mobilenet")
