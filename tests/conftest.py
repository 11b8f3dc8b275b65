"""What many tests share: a feature cache of their own, repeatable arithmetic, one encoder, and one run trained on shapes."""

import os
from dataclasses import replace
from pathlib import Path

import pytest

from captioner.runtime import start_tensorflow

_LONGEST = "test_worker_processes.py"


def pytest_collection_modifyitems(items):
    """The file that takes longest comes first: where two are tested at a time, nobody waits for it alone at the end."""
    items.sort(key=lambda item: item.path.name != _LONGEST)


@pytest.fixture(scope="session", autouse=True)
def session(tmp_path_factory):
    """No test reads or fills the user's own cache, and equal seeds give equal weights."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TRIPTYCH_CACHE", str(tmp_path_factory.mktemp("cache")))
        start_tensorflow(repeatable=True)
        yield


@pytest.fixture(scope="module")
def cache(tmp_path_factory) -> Path:
    """A folder for the features of one file of tests."""
    return tmp_path_factory.mktemp("features")


@pytest.fixture(scope="module")
def inputs(cache):
    """What small decoders share before they are trained; some files of tests make one of their own."""
    from support.standins import small_inputs

    return small_inputs(cache)


@pytest.fixture(scope="session")
def encoder(session):
    from captioner.vision.encoder import load_encoder

    return load_encoder()


@pytest.fixture(scope="session")
def tiny_run(encoder, tmp_path_factory) -> Path:
    """A checkpoints folder with three decoders that saw 48 pictures of shapes for three epochs; copy it to write into it."""
    from captioner.config import VARIANTS
    from captioner.data.datasets import shapes
    from captioner.presets import PRESETS
    from captioner.training.run import Run
    from captioner.training.run_inputs import RunInputs

    folder = tmp_path_factory.mktemp("runs") / "tiny-shapes"
    preset = replace(PRESETS["tiny"], training=replace(PRESETS["tiny"].training, epochs=3))
    inputs = RunInputs(shapes(48, 16, 16), encoder, Path(os.environ["TRIPTYCH_CACHE"]), preset)
    for variant in VARIANTS:
        Run(inputs, variant, 1, folder).execute()
    return folder
