"""Workers that train together on this machine: threads of this process, or processes."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from captioner.training.worker_group import VARIABLE, Shard, WorkerGroup

TESTS = Path(__file__).resolve().parents[1]
_POLL_SECONDS = 0.2

# The command line with a stub encoder; it saves all variables that a run ends with. It sends itself a signal at the start of
# the fatal epoch.
CHILD = """
import os, sys
from captioner.vision import encoders
from captioner.__main__ import main
from support.fakes import StubEncoder, keep_what_runs_end_with

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


class Meeting:
    """A meeting place of workers that are threads of one process."""

    def __init__(self, count):
        self.barrier, self.brought = threading.Barrier(count), [None] * count

    def of_all(self, find):
        """The result or the error of each worker."""
        found = [None] * len(self.brought)

        def run(number):
            try:
                found[number] = find(InThreads(number, self))
            except Exception as error:
                found[number] = error

        threads = [threading.Thread(target=run, args=(number,)) for number in range(len(found))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return found


class InThreads(WorkerGroup):
    """A worker that sums numbers with other threads."""

    def __init__(self, number, meeting):
        self.shard, self.meeting = Shard(number, len(meeting.brought)), meeting

    def sum(self, values):
        import tensorflow as tf

        self.meeting.brought[self.shard.number] = values
        self.meeting.barrier.wait(60)
        added = tf.add_n(list(self.meeting.brought))
        self.meeting.barrier.wait(60)
        return added


def free_ports(count: int) -> list[int]:
    """Ports of this machine that no program listens on."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]


def places(count: int) -> list[dict[str, str]]:
    """The environments of `count` workers on this machine."""
    addresses = [f"127.0.0.1:{port}" for port in free_ports(count)]
    tasks = ({"cluster": {"worker": addresses}, "task": {"type": "worker", "index": number}} for number in range(count))
    return [os.environ | {VARIABLE: json.dumps(task)} for task in tasks]


def run_workers(arguments: Sequence[str], count: int) -> list[Any]:
    """Run `count` Python processes that train together; return the JSON that each prints."""
    command, started = [sys.executable, *arguments], []
    for place in places(count):
        started.append(subprocess.Popen(command, cwd=TESTS.parent, env=place, stdout=subprocess.PIPE, text=True))
    try:  # When one fails, the others would wait for it forever.
        while None in (ended := [process.poll() for process in started]) and not any(ended):
            time.sleep(_POLL_SECONDS)
    finally:
        for process in started:
            process.kill()
    said = [process.communicate()[0] for process in started]
    if any(process.returncode for process in started):
        raise RuntimeError(f"One of the {count} processes that should train together failed; its message is above.")
    return [json.loads(text) for text in said]


def start(
    folder: Path, arguments: Sequence[str], fatal_epochs: Sequence[int], fate: str = "SIGKILL"
) -> list[subprocess.Popen]:
    """A worker for each of these epochs, in which it gets the signal `fate`; 0 is never. Each has its own --out."""
    paths, started, signal_number = os.pathsep.join([str(TESTS.parent), str(TESTS)]), [], str(int(signal.Signals[fate]))
    for number, (fatal, place) in enumerate(zip(fatal_epochs, places(len(fatal_epochs)), strict=True)):
        own = [str(folder / f"ended-{number}"), str(fatal), signal_number, *arguments, "--out", str(folder / f"out-{number}")]
        command, pipes = [sys.executable, "-c", CHILD, *own], {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        started.append(subprocess.Popen(command, env=place | {"PYTHONPATH": paths}, text=True, **pipes))
    return started


def wait_for(process: subprocess.Popen, seconds: float) -> None:
    """Wait until it has ended or has been stopped."""
    end = time.monotonic() + seconds
    while os.waitid(os.P_PID, process.pid, os.WEXITED | os.WSTOPPED | os.WNOWAIT | os.WNOHANG) is None:
        if time.monotonic() > end:
            raise TimeoutError(f"It still works after {seconds} s.")
        time.sleep(0.1)


def finish(started: Sequence[subprocess.Popen], seconds: float) -> list[tuple[int, str, str]]:
    """The exit status, standard output and standard error of each process."""
    try:
        said = [process.communicate(timeout=seconds) for process in started]
        return [(process.returncode, *texts) for process, texts in zip(started, said, strict=True)]
    finally:
        for process in started:
            process.kill()
