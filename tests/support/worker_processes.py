"""Starts the command line in processes that train together on this machine, as several machines would."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from captioner.benchmarks.bench_workers import places

TESTS = Path(__file__).resolve().parents[1]

# The command line with a stand-in for the encoder; it puts down all that a run ended with. Told to, it sends itself a signal
# when it should begin an epoch.
CHILD = """
import os, sys
from captioner.vision import encoder as encoders
from captioner.__main__ import main
from support.standins import StubEncoder, keep_what_runs_end_with

ended, fatal_epoch, number = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
encoders.load_encoder = lambda name, **_: StubEncoder()
keep_what_runs_end_with(ended)
if fatal_epoch:
    from captioner.training.distributed_trainer import DistributedTrainer
    epoch = DistributedTrainer.epoch
    def epoch_or_end(self, epoch_number, *rest):
        if epoch_number == fatal_epoch:
            os.kill(os.getpid(), number)
        return epoch(self, epoch_number, *rest)
    DistributedTrainer.epoch = epoch_or_end
sys.exit(main(sys.argv[4:]))
"""


def start(
    folder: Path, arguments: Sequence[str], fatal_epochs: Sequence[int], fate: signal.Signals = signal.SIGKILL
) -> list[subprocess.Popen]:
    """A worker for each of these epochs, in which it meets its fate, with an --out of its own; 0 is one that shall live."""
    paths, started = os.pathsep.join([str(TESTS.parent), str(TESTS)]), []
    for number, (fatal, place) in enumerate(zip(fatal_epochs, places(len(fatal_epochs)), strict=True)):
        own = [str(folder / f"ended-{number}"), str(fatal), str(int(fate)), *arguments, "--out", str(folder / f"out-{number}")]
        command, pipes = [sys.executable, "-c", CHILD, *own], {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        started.append(subprocess.Popen(command, env=place | {"PYTHONPATH": paths}, text=True, **pipes))
    return started


def wait_for(process: subprocess.Popen, seconds: float) -> None:
    """Until it has ended or has been stopped."""
    end = time.monotonic() + seconds
    while os.waitid(os.P_PID, process.pid, os.WEXITED | os.WSTOPPED | os.WNOWAIT | os.WNOHANG) is None:
        if time.monotonic() > end:
            raise TimeoutError(f"It still works after {seconds} s.")
        time.sleep(0.1)


def finish(started: Sequence[subprocess.Popen], seconds: float) -> list[tuple[int, str, str]]:
    """Of each the exit status, and what it said on standard output and on standard error."""
    try:
        said = [process.communicate(timeout=seconds) for process in started]
        return [(process.returncode, *texts) for process, texts in zip(started, said, strict=True)]
    finally:
        for process in started:
            process.kill()
