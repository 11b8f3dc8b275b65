"""What every page needs: decoders on a network of Keras, whose weights are a file that the command line names."""

import json

import pytest

from captioner.config import VARIANTS
from captioner.model.checkpoints import EncoderMark, save
from captioner.views import startup_problems
from captioner.views.launch_options import FOLDER_VARIABLE
from captioner.vision.encoders import load_encoder
from support.app_driver import open_view, refusals, sentences
from support.fakes import small_checkpoint

pytestmark = pytest.mark.slow
NETWORK = "mobilenetv2"  # one that is built and saved quickly


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """Two files of random weights."""
    import keras

    folder = tmp_path_factory.mktemp("weights")
    for name in ("own", "other"):
        network = keras.applications.MobileNetV2(include_top=False, weights=None, input_shape=(224, 224, 3))
        network.save_weights(folder / f"{name}.weights.h5")
    return folder


@pytest.fixture(scope="module")
def decoders(weights, tiny_run, tmp_path_factory):
    """Three on the first of them."""
    folder = tmp_path_factory.mktemp("decoders") / "run"
    mark = EncoderMark.of(load_encoder(NETWORK, weights=weights / "own.weights.h5"))
    for name in VARIANTS:
        history = json.loads((tiny_run / name / "history.json").read_text())
        save(folder / name, small_checkpoint(name, mark=mark), history)
    return folder


@pytest.fixture
def page(decoders, monkeypatch):
    """The page of captions, started as `streamlit run app.py -- --encoder-weights FILE` starts it."""

    def open_with(*arguments):
        startup_problems._examined.clear()
        monkeypatch.setenv(FOLDER_VARIABLE, str(decoders))
        monkeypatch.setattr("sys.argv", ["app.py", *map(str, arguments)])
        return open_view("caption").run()

    yield open_with
    startup_problems._examined.clear()


def test_another_file_than_theirs_is_told_by_its_option(page, weights):
    told = refusals(page("--encoder-weights", weights / "other.weights.h5"))
    assert told[0].count("mobilenetv2 (") == 2
    assert all("start with --encoder-weights and the file of the weights that they were trained with" in one for one in told)


def test_a_file_that_is_not_there_is_told(page, weights):
    told = refusals(page("--encoder-weights", weights / "none.h5"))
    assert told and all("There is no file none.h5 with the weights of mobilenetv2" in one for one in told)


def test_without_a_file_and_without_the_network_the_option_is_told(page, monkeypatch):
    def offline(*_given, **_named):
        raise OSError("no way out")

    monkeypatch.setattr("keras.src.utils.file_utils.get_file", offline)
    told = refusals(page())
    assert told and all("of mobilenetv2 could not be downloaded" in one and "--encoder-weights" in one for one in told)


def test_with_their_file_they_caption(page, weights):
    shown = page("--encoder-weights", weights / "own.weights.h5")
    assert not refusals(shown) and len(sentences(shown)) == len(VARIANTS)
