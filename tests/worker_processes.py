"""Starts the command line in processes that train together on this machine, as several machines would."""

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from captioner.bench_workers import places

TESTS = Path(__file__).resolve().parent

# The command line with a stand-in for the encoder; it puts down all that a run ended with. Told to, it kills itself, as
# `kill -9` does, when it should begin an epoch.
CHILD = """
import os, signal, sys
from captioner import encoder as encoders
from captioner.__main__ import main
from standins import StubEncoder, keep_what_runs_end_with

ended, fatal_epoch = sys.argv[1], int(sys.argv[2])
encoders.load_encoder = lambda name, **_: StubEncoder()
keep_what_runs_end_with(ended)
if fatal_epoch:
    from captioner.shared_training import SharedTrainer
    epoch = SharedTrainer.epoch
    def epoch_or_death(self, number, *rest):
        if number == fatal_epoch:
            os.kill(os.getpid(), signal.SIGKILL)
        return epoch(self, number, *rest)
    SharedTrainer.epoch = epoch_or_death
sys.exit(main(sys.argv[3:]))
"""


def start(folder: Path, arguments: Sequence[str], fatal_epochs: Sequence[int]) -> list[subprocess.Popen]:
    """A worker for each of these epochs, in which it kills itself, with an --out of its own; 0 is one that shall live."""
    paths, started = os.pathsep.join([str(TESTS.parent), str(TESTS)]), []
    for number, (fatal, place) in enumerate(zip(fatal_epochs, places(len(fatal_epochs)), strict=True)):
        own = [str(folder / f"ended-{number}"), str(fatal), *arguments, "--out", str(folder / f"out-{number}")]
        command, pipes = [sys.executable, "-c", CHILD, *own], {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        started.append(subprocess.Popen(command, env=place | {"PYTHONPATH": paths}, text=True, **pipes))
    return started


def finish(started: Sequence[subprocess.Popen], seconds: float) -> list[tuple[int, str, str]]:
    """Of each the exit status, and what it said on standard output and on standard error."""
    try:
        said = [process.communicate(timeout=seconds) for process in started]
        return [(process.returncode, *texts) for process, texts in zip(started, said, strict=True)]
    finally:
        for process in started:
            process.kill()
