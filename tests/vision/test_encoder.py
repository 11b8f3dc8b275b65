"""The encoder that ships: its classes of known photographs, batches, threads, and files that do not fit."""

import hashlib
import json
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from captioner.data.samples import SAMPLES
from captioner.errors import EncoderError
from captioner.storage import load_folder, save_folder
from captioner.vision.encoder import FACTS, NETWORK, Encoder, likeliest
from captioner.vision.encoders import SHIPPED_ENCODER, samples


@pytest.fixture(scope="module")
def photographs(encoder):
    return samples(encoder.size)


@pytest.mark.parametrize(("file", "label", "name"), [("chelsea.png", 285, "Egyptian cat"), ("coffee.png", 967, "espresso")])
def test_the_cat_and_the_cup(encoder, photographs, file, label, name):
    """The mean feature and the strongest regions agree on them."""
    number = [sample.file for sample in SAMPLES].index(file)
    seen = encoder.see(photographs[number : number + 1])
    assert seen.classes.shape == seen.regional.shape == (1, 1000) and seen.classes.sum() == pytest.approx(1, abs=1e-4)
    assert seen.classes[0].argmax() == seen.regional[0].argmax() == label and seen.classes[0, label] > 0.8
    assert likeliest(seen.classes[0])[0] == (name, seen.classes[0, label])


@pytest.mark.parametrize(("number", "name"), [(0, "tench"), (285, "egyptian cat"), (281, "tabby"), (999, "toilet tissue")])
def test_names_of_classes(number, name):
    (found, probability), *_ = likeliest(np.eye(1000)[number])
    assert found.lower() == name and probability == 1.0


def test_the_likeliest_come_first():
    probabilities = np.zeros(1000)
    probabilities[[5, 7, 3]] = 0.2, 0.5, 0.2
    assert [probability for _, probability in likeliest(probabilities, 3)] == [0.5, 0.2, 0.2]
    assert [name for name, _ in likeliest(probabilities, 3)][1] == likeliest(np.eye(1000)[3], 1)[0][0]


def test_nothing_depends_on_the_batch(encoder, photographs):
    together = encoder.see(photographs)
    assert together.features.shape == (6, encoder.regions, encoder.channels) == (6, 81, 1280)
    for number, picture in enumerate(photographs):
        alone = encoder.see(picture[None])
        for one, several in zip(alone, together, strict=True):
            np.testing.assert_allclose(one[0], several[number], atol=1e-4)
    assert encoder.encode(photographs[:0]).shape == (0, 81, 1280)


def test_32_visitors_get_the_answers_of_one(encoder, photographs):
    """Alone and in small batches, all at once."""
    parts = [photographs[first : first + count] for first in range(4) for count in (1, 2, 3)]
    expected = [encoder.encode(part) for part in parts]
    with ThreadPoolExecutor(32) as visitors:
        found = list(visitors.map(lambda visit: encoder.encode(parts[visit % len(parts)]), range(64)))
    for visit, features in enumerate(found):
        np.testing.assert_allclose(features, expected[visit % len(parts)], atol=1e-4)


@pytest.mark.parametrize(
    ("pictures", "received"),
    [
        (np.zeros((1, 260, 260, 3), np.float32), "float32 of shape (260, 260, 3)"),
        (np.zeros((1, 224, 224, 3), np.uint8), "uint8 of shape (224, 224, 3)"),
        (np.zeros((260, 260, 3), np.uint8), "uint8 of shape (260, 3)"),
    ],
)
def test_pictures_that_do_not_fit_are_refused(encoder, pictures, received):
    with pytest.raises(EncoderError) as error:
        encoder.encode(pictures)
    assert received in str(error.value) and "(260, 260, 3)" in str(error.value)


@pytest.mark.parametrize(
    ("files", "sentence"),
    [
        (lambda it: {FACTS: it[FACTS]}, "lacks encoder.tflite; copy it again"),
        (lambda it: {NETWORK: it[NETWORK]}, "lacks encoder.json; copy it again"),
        (lambda it: it | {NETWORK: it[NETWORK][:-4]}, "is not the one that encoder.json describes"),
        (lambda it: it | _facts(it, size="260"), "'size' should be a valid integer"),
        (lambda it: _with_network(it, b"no network"), "encoder.tflite cannot be run"),
        (lambda it: _with_network(it, it[NETWORK][:5000]), "encoder.tflite cannot be run"),
        (lambda it: it | _facts(it, channels=640), "is not an encoder of the sizes in encoder.json"),
    ],
)
def test_damaged_files_are_refused(tmp_path, files, sentence):
    save_folder(tmp_path / "encoder", files(load_folder(SHIPPED_ENCODER)))
    with pytest.raises(Exception, match=sentence) as error:
        Encoder.load(tmp_path / "encoder")
    assert type(error.value).__module__ == EncoderError.__module__


def _facts(files, **changed):
    return {FACTS: json.dumps(json.loads(files[FACTS]) | changed).encode()}


def _with_network(files, network):
    return {NETWORK: network, **_facts(files, sha256=hashlib.sha256(network).hexdigest())}
