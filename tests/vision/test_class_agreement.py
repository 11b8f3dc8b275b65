"""The agreement of two encoders on four photographs, by hand."""

import numpy as np
import pytest

from captioner.errors import EncoderError
from captioner.vision.class_agreement import class_agreement
from captioner.vision.encoder import Seen
from support.fakes import StubEncoder, small_dataset
from support.plain_classes import divergences

TABBY, TIGER_CAT, BEAGLE = 281, 282, 162  # two cats and a dog


class Recognising:
    """An encoder that recognises the next photographs with these probabilities of the three classes."""

    size = 8

    def __init__(self, *rows):
        self.rows = list(rows)

    def see(self, pictures):
        classes = np.zeros((len(pictures), 1000), np.float32)
        classes[:, [TABBY, TIGER_CAT, BEAGLE]] = [self.rows.pop(0) for _ in pictures]
        return Seen(None, classes, classes)


def test_by_hand(monkeypatch):
    """The same; another cat; a dog; and, with the dog as the likeliest class, more cats."""
    monkeypatch.setattr("captioner.vision.class_agreement._BATCH", 3)
    expected = ((1, 0, 0), (0.75, 0.25, 0), (0.5, 0.5, 0), (0.25, 0.3, 0.45))
    seen = ((1, 0, 0), (0.25, 0.75, 0), (0.2, 0.2, 0.6), (0.3, 0.3, 0.4))
    assert class_agreement(Recognising(*seen), Recognising(*expected), small_dataset(4).split("train")) == {
        "photographs": 4,
        "same_class": 0.5,
        "same_noun": 0.75,
        "divergence": pytest.approx(np.mean(divergences(expected, seen)), abs=1e-4),
    }


def test_a_class_that_is_never_expected_costs_nothing_and_one_that_is_never_found_stays_finite():
    records = small_dataset(1).split("train")
    assert class_agreement(Recognising((0.5, 0.5, 0)), Recognising((1, 0, 0)), records)["divergence"] == round(np.log(2), 4)
    assert 10 < class_agreement(Recognising((1, 0, 0)), Recognising((0.5, 0.5, 0)), records)["divergence"] < 100


def test_an_encoder_without_classes_is_named():
    with pytest.raises(EncoderError, match="The encoder stub has no classes"):
        class_agreement(StubEncoder(), StubEncoder(), small_dataset(1).split("train"))
