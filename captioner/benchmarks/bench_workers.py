"""Measures training by several processes on this machine: a step, and the sum of the gradients over the loopback.

Started as a program it is one of these processes. What their figures mean for larger data is left to `captioner.benchmarks.coco_cost`.
"""

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from captioner.benchmarks.coco_cost import Measured, result
from captioner.benchmarks.memory import own_megabytes
from captioner.benchmarks.training import SEED, Workload, timed
from captioner.errors import TrainingError
from captioner.presets import find_preset
from captioner.progress import Progress
from captioner.runtime import cores
from captioner.training.worker_group import VARIABLE, Shard, join

if TYPE_CHECKING:
    from captioner.training.distributed_trainer import DistributedTrainer
    from captioner.training.worker_group import SingleWorker
    from captioner.vision.encoder import Encoder

COUNTS = (1, 2, 4)
_ROUNDS = 3
_PICTURES = 32
_LOOK = 0.2  # seconds between two looks at who has ended
_HOME = Path(__file__).resolve().parents[2]


def workers_bench(data: str | Path, cache: Path, preset: str = "triptych", counts: Sequence[int] = COUNTS) -> dict[str, Any]:
    """Steps of the preset's learned decoder by one process and by several at once on this machine, and COCO's cost by them.

    - gradient_ms: one process alone, all cores its own, with the whole of a step's photographs, a half, a quarter, and with
      making a batch of them; move_ms: the optimizer's step. Medians.
    - all_reduce_ms: one sum of all gradients by so many processes on this machine, after all had come to it. They share its
      cores, so it is more than the processors of as many machines would need; what a real network takes is added to it.
    - encode_ms: one view of a photograph into an empty cache, from its file on.
    """
    found = {}
    with Progress("measuring", len(counts), "numbers of processes") as bar:
        for count in counts:
            found[str(count)] = run_workers(["-m", "captioner.benchmarks.bench_workers", str(data), str(cache), preset], count)[0]
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
    """What each of so many processes of Python with these arguments, which train together, printed as a little JSON."""
    command = [sys.executable, *arguments]
    started = [subprocess.Popen(command, cwd=_HOME, env=place, stdout=subprocess.PIPE, text=True) for place in places(count)]
    try:  # Where one fails, the others would wait for it in vain.
        while None in (ended := [process.poll() for process in started]) and not any(ended):
            time.sleep(_LOOK)
    finally:
        for process in started:
            process.kill()
    said = [process.communicate()[0] for process in started]
    if any(process.returncode for process in started):
        raise TrainingError(f"Of the {count} processes that should train together one ended badly; see what it said above.")
    return [json.loads(text) for text in said]


def measure(workers: "SingleWorker", data: str, cache: Path, preset: str) -> dict[str, Any]:
    """The figures of this process, of `Measured` all that it can tell; alone, also those of parts of a step."""
    from captioner.data.datasets import load
    from captioner.runtime import start_tensorflow
    from captioner.training.distributed_trainer import DistributedTrainer
    from captioner.training.trainer import Examples
    from captioner.vision.encoder import load_encoder
    from captioner.vocabulary import Vocabulary, tokenize

    start_tensorflow(repeatable=True)
    chosen, encoder = find_preset(preset), load_encoder(find_preset(preset).encoder)
    before = own_megabytes()
    dataset = load(data)
    words = (tokenize(text) for record in dataset.split("train") for text in record.captions)
    everything = Examples.of(dataset.split("train"), Vocabulary.build(words, chosen.training.minimum_count), None)
    captions = max(0.0, own_megabytes() - before)
    workload = Workload.of(dataset, encoder, cache, chosen, 1)
    trainer = DistributedTrainer(workload.decoder(chosen.decoder), chosen.training, SEED, workload.images, workers)
    parts = [workers.shard] if workers.several else [Shard(0, count) for count in COUNTS]
    times = {part.count: _times(trainer, workload, part, workers) for part in parts}
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
        "encode_ms": 0.0 if workers.several else _encode_ms(encoder, workload),
        "memory_mb": own_megabytes(),
        "captions_mb": captions,
    }


def _times(trainer: "DistributedTrainer", workload: Workload, part: Shard, workers: "SingleWorker") -> tuple[float, float, float]:
    """Medians over the steps, in milliseconds: this worker's batch and gradients, the optimizer's step, the sum in between."""
    from captioner.training.trainer import batches

    examples, taken = workload.parts[0], []
    for number in range(_ROUNDS + 1):
        stream = batches(examples, trainer.config, SEED, 1, workload.views, part)
        for _ in range(0, len(examples.records), trainer.config.images_per_batch):
            gradients, own = timed(lambda: trainer.summed_gradients(next(stream)))
            workers.wait()
            sums, total = timed(lambda: workers.sum(own))
            moves, _ = timed(lambda: trainer.move_by(total).numpy())
            if number:  # In the first round it is compiled.
                taken.append((gradients, moves, sums))
    return tuple(median(column) for column in zip(*taken, strict=True))


def _encode_ms(encoder: "Encoder", workload: Workload) -> float:
    from captioner.vision.feature_cache import FeatureCache

    taken = []
    for _ in range(_ROUNDS + 1):
        with TemporaryDirectory(prefix="triptych-") as folder:
            cache = FeatureCache(Path(folder), encoder)
            spent, _ = timed(lambda: cache.fill(workload.parts[0].records[:_PICTURES], workload.views))
            taken.append(spent / len(cache))
    return median(taken)


if __name__ == "__main__":
    data, cache, preset = sys.argv[1:]
    print(json.dumps(measure(join(), data, Path(cache), preset)))
