"""The sample photographs are in the installed package and can be read."""

import importlib.util

import pytest

from captioner.data.images import read
from captioner.data.samples import SAMPLES
from captioner.errors import ImageError


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.title)
def test_every_sample_is_a_photograph_in_the_package(sample):
    height, width, channels = read(sample.read(), sample.file).shape
    assert min(height, width) >= 256 and channels == 3
    assert sample.description.endswith(".")


def test_samples_are_six_different_ones():
    assert len({sample.file for sample in SAMPLES}) == len({sample.title for sample in SAMPLES}) == 6


def test_without_the_package(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ImageError, match="scikit-image, which is not installed; install it with pip"):
        SAMPLES[0].read()
