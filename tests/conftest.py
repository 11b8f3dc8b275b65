"""Fixtures that many tests share: a private feature cache, repeatable arithmetic, one encoder, and one run trained on shapes.

What takes long is made once per test run, by whichever process needs it first, and kept on disk for the other processes.
"""

import os
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from captioner.runtime import start_tensorflow

_LONGEST = "test_worker_processes.py"
_PATIENCE = 600  # seconds to wait for another process of this test run


def pytest_collection_modifyitems(items):
    """Mark browser tests and those that need trained decoders; start with the longest file, so that nothing waits for it."""
    for item in items:
        if "browser" in item.path.parts:
            item.add_marker(pytest.mark.browser)
        if "tiny_run" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.slow)
    items.sort(key=lambda item: item.path.name != _LONGEST)


@pytest.fixture(scope="session")
def session_folder(tmp_path_factory) -> Path:
    """A folder for all processes of this test run."""
    own = tmp_path_factory.getbasetemp()
    folder = (own.parent if "PYTEST_XDIST_WORKER" in os.environ else own) / "shared"
    folder.mkdir(exist_ok=True)
    return folder


@pytest.fixture(scope="session", autouse=True)
def session(session_folder):
    """Keep tests away from the user's cache; where TensorFlow is loaded, equal seeds give equal weights."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TRIPTYCH_CACHE", str(session_folder / "cache"))
        if "tensorflow" in sys.modules:
            start_tensorflow(repeatable=True)
        yield


@pytest.fixture(scope="session")
def tensorflow(session):
    """TensorFlow with repeatable arithmetic."""
    return start_tensorflow(repeatable=True)


@pytest.fixture(scope="module")
def eager(tensorflow):
    """TensorFlow without compiling, which takes longer than a few small steps."""
    tensorflow.config.run_functions_eagerly(True)
    yield
    tensorflow.config.run_functions_eagerly(False)


@pytest.fixture(scope="module")
def cache(tmp_path_factory) -> Path:
    """A folder for the features of one file of tests."""
    return tmp_path_factory.mktemp("features")


@pytest.fixture(scope="module")
def inputs(tensorflow, cache):
    """The inputs of a small run; some files of tests make their own."""
    from support.fakes import small_inputs

    return small_inputs(cache)


@pytest.fixture(scope="module")
def examples(inputs):
    """The train and dev examples of the inputs."""
    from captioner.training.batches import Examples

    return tuple(Examples.of(part, inputs.vocabulary, inputs.cache) for part in (inputs.train, inputs.dev))


@pytest.fixture(scope="session")
def encoder():
    """The encoder that ships."""
    from captioner.vision.encoders import load_encoder

    return load_encoder()


@pytest.fixture(scope="session")
def tiny_run(session_folder) -> Path:
    """A checkpoints folder with three decoders that saw 48 pictures of shapes for five epochs; copy it to write into it."""
    return _once(session_folder / "tiny-shapes", _train_tiny)


def _once(folder: Path, make: Callable[[Path], None]) -> Path:
    """A folder that the first process to ask makes, while the others wait for it."""
    done = folder.with_suffix(".done")
    try:
        folder.with_suffix(".begun").mkdir()
    except FileExistsError:
        end = time.monotonic() + _PATIENCE
        while not done.exists():
            assert time.monotonic() < end, f"another process did not finish {folder}"
            time.sleep(0.1)
        return folder
    make(folder)
    done.touch()
    return folder


def _train_tiny(folder: Path) -> None:
    start_tensorflow(repeatable=True)
    from captioner.config import VARIANTS
    from captioner.data.datasets import shapes
    from captioner.presets import PRESETS
    from captioner.training.run import Run
    from captioner.training.run_inputs import RunInputs
    from captioner.vision.encoders import load_encoder
    from support.fakes import TINY_EPOCHS, uncompiled

    preset = replace(PRESETS["tiny"], training=replace(PRESETS["tiny"].training, epochs=TINY_EPOCHS))
    inputs = RunInputs(shapes(48, 16, 16), load_encoder(), Path(os.environ["TRIPTYCH_CACHE"]), preset)
    with uncompiled():
        for variant in VARIANTS:
            Run(inputs, variant, 1, folder).execute()
