"""Training on the page without a browser, with a real small training: begun, watched by two, stopped, failed."""

import re
import sys
import time

import pytest

from captioner.captioning.captioner import Captioner
from captioner.data.datasets import shapes
from captioner.data.images import read
from captioner.presets import PRESETS
from captioner.training.live_training import FAILED, FINISHED, RUNNING, LiveTraining
from captioner.training.live_training import STOPPED as ENDED
from captioner.views.curves import live_training
from captioner.views.launch_options import FOLDER_VARIABLE
from support.app_driver import open_view, refusals, sentences, shown
from support.factories import tiny_training, write_run

pytestmark = pytest.mark.slow
PATIENCE = 300  # seconds; TensorFlow is loaded each time, and every other program goes first
EPOCHS = 500


@pytest.fixture
def live(tmp_path, monkeypatch):
    """The one training of the server, with quick arguments; the page's own decoders are some that need no training."""
    (tmp_path / "few").mkdir()
    made = LiveTraining((*tiny_training(tmp_path / "few"), str(EPOCHS)), PRESETS["tiny"])
    monkeypatch.setattr(live_training, "live", lambda: made)
    monkeypatch.setenv(FOLDER_VARIABLE, str(write_run(tmp_path / "own")))
    monkeypatch.setattr("sys.argv", ["app.py"])
    yield made
    made.close()


def open_live():
    page = open_view("curves")
    page.query_params["run"] = live_training.LIVE
    return page.run()


def button(page, label):
    return next(found for found in page.button if found.label == label)


def labels(page) -> list[str]:
    assert not page.exception
    return [found.label for found in page.button]


def follow(page, happened):
    end = time.monotonic() + PATIENCE
    while not happened():
        assert time.monotonic() < end
        time.sleep(0.2)
        page.run()


def test_a_server_without_tensorflow_offers_no_training(live, monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorflow", None)
    offered = button(open_view("curves").run(), "Train three now")
    assert offered.disabled and "TensorFlow, which is not installed" in offered.help


def test_one_visitor_begins_another_watches_and_either_stops(live):
    first, second = open_view("curves").run(), open_view("curves").run()
    assert labels(first) == labels(second) == ["Train three now"]
    button(first, "Train three now").click().run()
    assert first.selectbox(key="run").value == live_training.LIVE and live.state == RUNNING and labels(first) == ["Stop"]
    assert "Getting ready" in first.get("progress")[0].proto.text
    process = live._process
    # The other one's page is from before; the click finds a training that runs, and shows it.
    button(second, "Train three now").click().run()
    assert "already being trained" in refusals(second)[0] and live._process is process and labels(second) == ["Stop"]
    third = button(open_view("curves").run(), "Watch the live training").click().run()
    assert third.selectbox(key="run").value == live_training.LIVE and labels(third) == ["Stop"]
    follow(first, lambda: "of at most" in first.get("progress")[0].proto.text)
    assert len(sentences(first)) == 1 and not refusals(first)
    button(second, "Stop").click().run()
    assert live.wait(PATIENCE) == ENDED
    first.run()
    assert labels(first) == ["Train them again"]
    assert any("training was stopped" in text.value for text in first.markdown)  # The panel says so, with or without curves.


def test_before_the_first_training_its_place_says_what_it_is(live):
    page = open_live()
    assert labels(page) == ["Train three now"] and shown(page).count("<figure>") == 3 and not sentences(page)
    assert "pictures that they learn from" in shown(page) and "they are trained" not in shown(page)
    assert "**Strong lines**: drawn pictures it was not trained on" in page.markdown[0].value


def test_a_training_that_finished_stays_shown(live):
    live.arguments = (*live.arguments[:-1], "1")
    live.start()
    assert live.wait(PATIENCE) == FINISHED
    page = open_live()
    assert len(sentences(page)) == 1 and "<dd>tiny</dd>" in shown(page) and not refusals(page)
    written = shown(page)[shown(page).index("now that they are trained") :]
    found = Captioner.load(live.folder).caption([read(record.read()) for record in shapes(1, 1, 3).split("test")])
    assert re.findall("<b>Learned</b> (.*?)<br>", written) == [one["learned"][0].text for one in found]


def test_a_training_that_failed_says_why_as_text(live):
    live.arguments = ("train", "--data", "no/<b>such")
    live.start()
    assert live.wait(PATIENCE) == FAILED
    page = open_live()
    assert "There is no folder 'no/<b>such'" in refusals(page)[0] and "<b>such" not in shown(page)
    assert labels(page) == ["Train three now"]


def test_the_training_that_is_shared_trains_shapes_and_ends_when_it_is_released(tmp_path):
    live_training.live.clear()
    shared = live_training.live()
    assert shared is live_training.live() and shared.arguments[:3] == ("train", "--data", "shapes")
    shared.folder = tmp_path / "run"
    shared.folder.mkdir()
    live_training.live.clear()
    assert not shared.folder.exists()
