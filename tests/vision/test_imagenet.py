"""The names of the classes, and the CNN's classifier on photographs whose class is known."""

import numpy as np
import pytest

from captioner.data.images import read, resize
from captioner.data.samples import SAMPLES
from captioner.vision.encoder import input_size
from captioner.vision.imagenet import likeliest
from captioner.vision.keras_applications import APPLICATIONS


@pytest.mark.parametrize(("number", "name"), [(0, "tench"), (285, "egyptian cat"), (281, "tabby"), (999, "toilet tissue")])
def test_names_stand_at_their_numbers(number, name):
    (found, probability), *_ = likeliest(np.eye(1000)[number])
    assert found.lower() == name and probability == 1.0


def test_the_likeliest_come_first_and_ties_in_order():
    probabilities = np.zeros(1000)
    probabilities[[5, 7, 3]] = 0.2, 0.5, 0.2
    assert [probability for _, probability in likeliest(probabilities, 3)] == [0.5, 0.2, 0.2]
    assert [name for name, _ in likeliest(probabilities, 3)][1] == likeliest(np.eye(1000)[3], 1)[0][0]


def test_the_cnn_names_the_cat_and_the_cup(encoder):
    pictures = {sample.title: resize(read(sample.read(), sample.file), encoder.size) for sample in SAMPLES}
    for title, expected in (("Cat", "egyptian cat"), ("Coffee", "espresso")):
        name, probability = likeliest(encoder.classify(encoder.encode(pictures[title][None]))[0])[0]
        assert name.lower() == expected and probability > 0.7


def test_how_large_a_square_an_encoder_takes_is_known_without_it(encoder):
    assert input_size(encoder.name) == encoder.size
    assert input_size("xception") == APPLICATIONS["xception"].size == 299
