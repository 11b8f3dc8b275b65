"""Measures training by several processes on this machine: a step, and the sum of the gradients over the loopback.

Started as a program it is one of these processes. What their figures mean for larger data is left to `captioner.coco_cost`.
"""

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

import numpy as np

from captioner.bench_memory import own_megabytes
from captioner.bench_training import SEED, Workload
from captioner.coco_cost import Measured, result
from captioner.errors import TrainingError
from captioner.presets import find_preset
from captioner.progress import Progress
from captioner.runtime import cores
from captioner.workers import VARIABLE, Part, join

if TYPE_CHECKING:
    from captioner.encoder import Encoder
    from captioner.shared_training import SharedTrainer
    from captioner.training import Batch
    from captioner.workers import Alone

COUNTS = (1, 2, 4)
_ROUNDS = 3
_PICTURES = 32
_HOME = Path(__file__).resolve().parent.parent


def workers_bench(data: str | Path, cache: Path, preset: str = "triptych", counts: Sequence[int] = COUNTS) -> dict[str, Any]:
    """Steps of the preset's learned decoder by one process and by several at once on this machine, and COCO's cost by them.

    - gradient_ms: one process alone, all cores its own, with the whole of a step's photographs, a half, a quarter; move_ms:
      the optimizer's step. Medians.
    - all_reduce_ms: one sum of all gradients by so many processes on this machine, after all had come to it. They share its
      cores, so it is more than the processors of as many machines would need; what a real network takes is added to it.
    """
    found = {}
    with Progress("measuring", len(counts), "numbers of processes") as bar:
        for count in counts:
            found[str(count)] = run_workers(["-m", "captioner.bench_workers", str(data), str(cache), preset], count)[0]
            bar.advance()
    alone = found.pop("1")
    measured = Measured(**alone | {"all_reduce_ms": {count: one["all_reduce_ms"] for count, one in found.items()}})
    return result(measured, find_preset(preset))


def free_ports(count: int) -> list[int]:
    """Ports of this machine that nobody listens at."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]


def places(count: int) -> list[dict[str, str]]:
    """The environment of each of so many workers on this machine."""
    addresses = [f"127.0.0.1:{port}" for port in free_ports(count)]
    tasks = ({"cluster": {"worker": addresses}, "task": {"type": "worker", "index": number}} for number in range(count))
    return [os.environ | {VARIABLE: json.dumps(task)} for task in tasks]


def run_workers(arguments: Sequence[str], count: int) -> list[Any]:
    """What each of so many processes of Python with these arguments, which train together, printed as JSON."""
    command = [sys.executable, *arguments]
    started = [subprocess.Popen(command, cwd=_HOME, env=place, stdout=subprocess.PIPE, text=True) for place in places(count)]
    try:
        said = [process.communicate()[0] for process in started]
    finally:
        for process in started:
            process.kill()
    if any(process.returncode for process in started):
        raise TrainingError(f"Of the {count} processes that should train together one ended badly; see what it said above.")
    return [json.loads(text) for text in said]


def measure(workers: "Alone", data: str, cache: Path, preset: str) -> dict[str, Any]:
    """The figures of this process, of `Measured` all that it can tell; alone, also those of parts of a step."""
    from captioner.datasets import load
    from captioner.encoder import load_encoder
    from captioner.runtime import start_tensorflow
    from captioner.shared_training import SharedTrainer
    from captioner.training import Examples

    start_tensorflow(repeatable=True)
    chosen, encoder = find_preset(preset), load_encoder(find_preset(preset).encoder)
    before = own_megabytes()
    dataset = load(data)
    names = own_megabytes() - before
    workload = Workload.of(dataset, encoder, cache, chosen, 1)
    before = own_megabytes()
    everything = Examples.of(dataset.split("train"), workload.vocabulary, None)
    captions = own_megabytes() - before
    trainer = SharedTrainer(workload.decoder(chosen.decoder), chosen.training, SEED, workload.images, workers)
    parts = [workers.part] if workers.several else [Part(0, count) for count in COUNTS]
    times = {part.count: _times(trainer, _batches(workload, part), workers) for part in parts}
    gradients, moves, sums = times[parts[0].count]
    return {
        "cores": cores(),
        "photographs": len(everything.records),
        "words_per_photograph": workload.words / workload.images,
        "vocabulary": len(workload.vocabulary),
        "regions": workload.regions,
        "channels": workload.channels,
        "parameters": trainer.size - 2,
        "gradient_ms": {str(count): found[0] for count, found in times.items()},
        "move_ms": moves,
        "all_reduce_ms": sums,
        "encode_ms": 0.0 if workers.several else _encode_ms(encoder),
        "memory_mb": own_megabytes(),
        "captions_mb": max(0.0, names + captions),
    }


def _batches(workload: Workload, part: Part) -> "list[Batch | None]":
    from captioner.training import batches

    return list(batches(workload.parts[0], workload.preset.training, SEED, 1, workload.views, part))


def _times(trainer: "SharedTrainer", batches: "list[Batch | None]", workers: "Alone") -> tuple[float, float, float]:
    """Medians over the steps, in milliseconds: this worker's gradients, the optimizer's step, and the sum in between."""
    taken = []
    for number in range(_ROUNDS + 1):
        for batch in batches:
            gradients, own = _timed(lambda: trainer.part(batch))
            workers.wait()
            sums, total = _timed(lambda: workers.sum(own))
            moves, _ = _timed(lambda: trainer.move_by(total).numpy())
            if number:  # In the first round it is compiled.
                taken.append((gradients, moves, sums))
    return tuple(median(column) for column in zip(*taken, strict=True))


def _encode_ms(encoder: "Encoder") -> float:
    pictures = np.random.default_rng(SEED).integers(0, 256, (_PICTURES, encoder.size, encoder.size, 3), dtype=np.uint8)
    return median(_timed(lambda: encoder.encode(pictures))[0] for _ in range(_ROUNDS + 1)) / _PICTURES


def _timed(work: Callable[[], Any]) -> tuple[float, Any]:
    start = time.perf_counter()
    made = work()
    return (time.perf_counter() - start) * 1000, made


if __name__ == "__main__":
    data, cache, preset = sys.argv[1:]
    print(json.dumps(measure(join(), data, Path(cache), preset)))
