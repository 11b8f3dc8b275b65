"""Training in a separate process: followed, stopped, refused while one runs, and never left behind."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from captioner.errors import TrainingError
from captioner.figures.curves.histories import INTERRUPTED, STOPPED, read_run
from captioner.presets import PRESETS
from captioner.training.live_training import FAILED, FINISHED, IDLE, RUNNING, LiveTraining
from captioner.training.live_training import STOPPED as ENDED
from support.factories import history, tiny_training, write

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 300  # seconds; TensorFlow is loaded each time, and the training has a low priority
pytestmark = [pytest.mark.slow, pytest.mark.process]


@pytest.fixture(scope="module")
def tiny(tmp_path_factory) -> tuple[str, ...]:
    """The arguments of a quick training, but for its number of epochs."""
    return tiny_training(tmp_path_factory.mktemp("few"))


@pytest.fixture
def training():
    made: list[LiveTraining] = []

    def make(*arguments: str) -> LiveTraining:
        made.append(LiveTraining(arguments, PRESETS["tiny"]))
        return made[0]

    yield make
    for each in made:
        each.close()
        assert each.folder is None or not each.folder.exists()


def until(happened: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE
    while not happened():
        assert time.monotonic() < end
        time.sleep(0.1)


def epochs(training: LiveTraining) -> int:
    return sum(len(curve.points) for curve in read_run(training.folder, training.active)[0])


def gone(process: subprocess.Popen) -> bool:
    """Neither running nor a zombie."""
    return process.returncode is not None and not Path(f"/proc/{process.pid}").exists()


def test_a_training_is_followed_and_stopped_and_a_second_one_refused(training, tiny):
    live = training(*tiny, "500")
    assert live.state == IDLE and not live.active
    live.start()
    process = live._process
    until(lambda: epochs(live) >= 2)
    assert live.state == RUNNING and os.getpriority(os.PRIO_PROCESS, process.pid) > os.getpriority(os.PRIO_PROCESS, 0)
    with pytest.raises(TrainingError, match="already being trained"):
        live.start()
    assert live._process is process
    live.stop()
    live.stop()
    assert live.wait(PATIENCE) == ENDED and gone(process)
    curve = read_run(live.folder, live.active)[0][0]
    assert curve.state == STOPPED and curve.points[-1].training.mean < curve.points[0].training.mean


def test_a_training_ends_by_itself_and_leaves_its_curves(training, tiny, monkeypatch):
    monkeypatch.setenv("TF_CONFIG", "of another training")
    live = training(*tiny, "1")
    live.start()
    first = live.folder
    assert live.wait(PATIENCE) == FINISHED and epochs(live) == 1
    live.arguments = ("train", "--data", "no/such/folder")
    live.start()
    assert not first.exists() and live.folder != first
    assert live.wait(PATIENCE) == FAILED
    reason = "The training ended early. There is no folder 'no/such/folder'"
    assert str(live.failure).startswith(reason)
    live.start()  # By another visitor, before this one's page has shown the failure.
    assert str(live.failure).startswith(reason)
    assert live.wait(PATIENCE) == FAILED
    shutil.rmtree(live.folder)
    assert str(live.failure).startswith(reason)
    live.arguments = ("no-such-command",)
    live.start()
    assert live.wait(PATIENCE) == FAILED and "no-such-command" in str(live.failure)


def test_a_killed_training(training, tiny):
    live = training(*tiny, "500")
    live.start()
    write(live.folder, "learned", history("learned", state="running"))
    live._process.send_signal(signal.SIGKILL)
    assert live.wait(PATIENCE) == FAILED and "signal 9" in str(live.failure)
    assert read_run(live.folder, live.active)[0][0].state == INTERRUPTED


def test_closing_ends_a_training_that_has_just_started(training, tiny):
    live = training(*tiny, "500")
    live.start()
    live.close()
    assert live.state == ENDED and gone(live._process)


def test_the_training_ends_with_a_parent_that_was_killed(tiny):
    """The supervised child notices by itself."""
    code = (
        "import sys, time\n"
        "from captioner.training.live_training import LiveTraining\n"
        f"live = LiveTraining({(*tiny, '500')!r})\n"
        "live.start()\n"
        "print(live._process.pid, live.folder, flush=True)\n"
        "time.sleep(600)\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    child, folder = parent.stdout.readline().split()
    parent.kill()
    parent.wait()
    try:
        until(lambda: not _runs(int(child)))
    finally:
        subprocess.run(["rm", "-r", folder], check=True)


def _runs(process: int) -> bool:
    """Whether the process is there and no zombie."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
