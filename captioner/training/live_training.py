"""Trains three small decoders on generated shapes in a child process while a page shows their curves.

This starts and stops the process and reports its failure; the curves are read from its folder like those of any run.
"""

import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from captioner.config import Preset
from captioner.errors import TrainingError
from captioner.presets import PRESETS
from captioner.runtime import is_alive
from captioner.training.worker_group import VARIABLE

# Fewer photographs and more epochs than the preset has, so as many steps: before the first epoch the CNN has to see every
# photograph, which is most of the wait for the first point.
PRESET = replace(PRESETS["shapes"], training=replace(PRESETS["shapes"].training, epochs=24))
ARGUMENTS = ("train", "--data", "shapes", "--photographs", "400", "--epochs", str(PRESET.training.epochs))
IDLE, RUNNING, STOPPING, STOPPED, FINISHED, FAILED = "idle", "running", "stopping", "stopped", "finished", "failed"
_GRACE = 10  # seconds before the process is killed
_OUTPUT = "output.txt"
_OURS = "triptych: "
_PREFIX = "triptych-live-"


def _sweep() -> None:
    """Remove the runs of servers that were killed."""
    for folder in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        server = folder.name.removeprefix(_PREFIX).partition("-")[0]
        if server.isdecimal() and not is_alive(int(server)):
            shutil.rmtree(folder, ignore_errors=True)


def can_train() -> bool:
    """Whether TensorFlow, which captions do not need, is installed."""
    return importlib.util.find_spec("tensorflow") is not None


class LiveTraining:
    """One training at a time, shared by all visitors; `close` ends it and removes its files."""

    def __init__(self, arguments: Sequence[str] = ARGUMENTS, preset: Preset = PRESET):
        self.arguments, self.preset = tuple(arguments), preset
        self.state = IDLE
        self.folder: Path | None = None  # of the current run
        self.failure: TrainingError | None = None  # of the last run that failed
        self._lock = threading.Lock()
        self._process: subprocess.Popen | None = None
        self._waiter: threading.Thread | None = None

    @property
    def active(self) -> bool:
        return self.state in (RUNNING, STOPPING)

    def start(self) -> None:
        """Start a new run in a new folder; it replaces the old one for all visitors."""
        with self._lock:
            if self.active:
                raise TrainingError("The three decoders are already being trained; watch or stop that training first.")
            self._remove()
            self.state = IDLE
            self._process = self._begin()
            self.state = RUNNING
            self._waiter = threading.Thread(target=self._wait, args=(self._process,), daemon=True)
            self._waiter.start()

    def _begin(self) -> subprocess.Popen:
        root = Path(__file__).resolve().parents[2]
        try:
            _sweep()
            self.folder = Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{os.getpid()}-"))
            command = [sys.executable, "-m", "captioner", "--supervised", *self.arguments, "--out", str(self.folder)]
            alone = {name: value for name, value in os.environ.items() if name != VARIABLE}
            with (self.folder / _OUTPUT).open("wb") as output:
                pipes = {"stdin": subprocess.PIPE, "stdout": output, "stderr": subprocess.STDOUT}
                return subprocess.Popen(command, cwd=root, env=alone, start_new_session=True, **pipes)
        except OSError as error:
            raise TrainingError(f"The training could not be started ({error.strerror}); try again later.") from error

    def _wait(self, process: subprocess.Popen) -> None:
        """Record the result as soon as the process ends, whether or not a page is open."""
        status = process.wait()
        process.stdin.close()
        with self._lock:
            if status and self.state != STOPPING:
                self.failure = self._reason(status)
            self.state = STOPPED if self.state == STOPPING else FINISHED if status == 0 else FAILED

    def stop(self) -> None:
        """Ask the process to end, and kill it after a grace period; returns at once."""
        with self._lock:
            if self.state == RUNNING:
                self._ask_to_end()
                force = threading.Timer(_GRACE, self._process.kill)
                force.daemon = True
                force.start()

    def _ask_to_end(self) -> None:
        self.state = STOPPING
        self._process.stdin.close()

    def wait(self, seconds: float | None = None) -> str:
        """Wait for the end, at most for some seconds, and return the state."""
        if self._waiter:
            self._waiter.join(seconds)
        return self.state

    def close(self) -> None:
        """End the training when the server ends."""
        with self._lock:  # No timer as in `stop`: an ending program cannot start threads.
            if self.state == RUNNING:
                self._ask_to_end()
        if self.wait(_GRACE) == STOPPING:
            self._process.kill()
            self.wait(_GRACE)
        self._remove()

    def _remove(self) -> None:
        if self.folder:
            shutil.rmtree(self.folder, ignore_errors=True)

    def _reason(self, status: int) -> TrainingError:
        """The reason as a sentence, the process's own if it printed one."""
        if status < 0:  # Its output does not contain the reason.
            cause = f"the system ended it with signal {-status}, perhaps for lack of memory"
            return TrainingError(f"The training ended early: {cause}. Start it again.")
        lines = self._lines()
        ours = [line.removeprefix(_OURS) for line in lines if line.startswith(_OURS)]
        if ours:
            return TrainingError(f"The training ended early. {ours[-1]}")
        return TrainingError(f"The training ended early: {' '.join(lines[-1:]) or 'it gave no reason'}. Start it again.")

    def _lines(self) -> list[str]:
        """The lines of its output, which is short; none if the folder has been removed."""
        try:
            text = (self.folder / _OUTPUT).read_text(encoding="utf-8", errors="replace")
        except OSError:
            return []
        return [line.strip() for line in text.splitlines() if line.strip()]
