"""Measures training on a cache that is larger than memory, and reading COCO's captions, each in a process of its own.

What is trained on and read is made up, by `captioner.benchmarks.synthetic`; the peak of a process is what all that it did took at most.
"""

import json
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from itertools import chain, count, islice
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import numpy as np

from captioner.benchmarks import synthetic
from captioner.benchmarks.captioning import Result, apart
from captioner.benchmarks.memory import peak_megabytes
from captioner.benchmarks.synthetic import SEED, VIEW_NAMES, SilentEncoder
from captioner.config import FIRST, Preset
from captioner.data.datasets import Dataset, Record, load
from captioner.presets import find_preset
from captioner.progress import Progress
from captioner.storage import save_folder, tensor_pieces
from captioner.vocabulary import Vocabulary, tokenize

if TYPE_CHECKING:
    from captioner.training.trainer import Batch, Examples, Trainer

SPARSE = (
    "The made-up cache consists of sparse files, whose zeros no disk has to fetch: what was measured on it tells of memory "
    "and of keeping books, and nothing of a disk's speed."
)
PRESET = "triptych"
_SMALL = 512  # photographs of the small cache
_COCO = (120_000, 5_000)  # photographs for training, and others; five captions each
_ROUNDS, _STEPS = 6, 12
_WARM_UP = 8


def large_bench(gigabytes: float) -> Result:
    """Training on a made-up cache of so many gigabytes, and reading made-up captions in COCO's form.

    - large_step_ms and small_step_ms: a step of the preset `triptych` with fetching its batch, on the large cache and on one
      of a few hundred photographs, taken in turns; step_ratio is the middle one of the rounds' ratios.
    - training_peak_gb: the peak of a process that did all this, took the loss of some hundred photographs as of a dev split, put
      the state of the training down, and read the features of one whole epoch in training's order, epoch_read_gb. prepare_s
      is what it needed before its first step.
    - read_s: reading the data set; vocabulary_s: cutting its captions into words and counting them; read_peak_gb: the peak
      of a process that did both.
    """
    encoder = SilentEncoder()
    with TemporaryDirectory(prefix="triptych-") as folder:
        photographs = max(_SMALL, round(gigabytes * 1e9 / encoder.photograph_bytes))
        synthetic.write_cache(Path(folder) / "large", photographs, encoder)
        synthetic.write_cache(Path(folder) / "small", _SMALL, encoder)
        training = apart("captioner.benchmarks.bench_large", "training", folder, str(photographs))
    with TemporaryDirectory(prefix="triptych-") as folder:
        synthetic.write_coco(Path(folder), *_COCO)
        reading = apart("captioner.benchmarks.bench_large", "reading", folder)
    return {"large": training, "coco": reading}


def reading(folder: Path) -> dict[str, float]:
    """Read a folder in COCO's form, and cut the captions for training into words."""
    start = time.perf_counter()
    dataset = load(folder)
    read = time.perf_counter()
    words = [tokenize(caption) for record in dataset.split("train") for caption in record.captions]
    Vocabulary.build(words, find_preset(PRESET).training.minimum_count)
    done = time.perf_counter()
    return {
        "captions": sum(len(record.captions) for records in dataset.splits.values() for record in records),
        "file_mb": sum(path.stat().st_size for path in folder.rglob("*.json")) / 1e6,
        "read_s": read - start,
        "vocabulary_s": done - read,
        "read_peak_gb": _peak_gigabytes(),
    }


def training(folder: Path, photographs: int, preset: str = PRESET, encoder: SilentEncoder = SilentEncoder()) -> dict[str, float]:
    """Train on both caches of `folder` in turns, then read an epoch of the large one."""
    from captioner.runtime import start_tensorflow

    start_tensorflow(repeatable=True)
    records = tuple(synthetic.records(photographs))
    start = time.perf_counter()
    large, small, trainer = _prepared(folder, records, find_preset(preset), encoder)
    prepared = time.perf_counter()
    steps = _in_turns(trainer, small, large)
    trainer.dev_loss(small)
    state = _put_down(trainer, folder)
    read = _read_epoch(large, trainer.config.images_per_batch)
    del state
    return {
        "cache_gb": photographs * len(VIEW_NAMES) * large.cache.row_bytes / 1e9,
        "cache_photographs": photographs,
        "prepare_s": prepared - start,
        **steps,
        "epoch_read_gb": read / 1e9,
        "training_peak_gb": _peak_gigabytes(),
    }


def _prepared(
    folder: Path, records: tuple[Record, ...], preset: Preset, encoder: SilentEncoder
) -> tuple["Examples", "Examples", "Trainer"]:
    """Both caches with their captions, made ready as for any run, and the trainer of a decoder."""
    from captioner.model.decoder import Decoder
    from captioner.training.run import Run
    from captioner.training.run_inputs import RunInputs
    from captioner.training.trainer import Examples, Trainer
    from captioner.vision.feature_cache import FeatureCache

    preset = replace(preset, training=replace(preset.training, views=len(VIEW_NAMES)))
    dataset = Dataset("made-up", {"train": records, "dev": records[:_SMALL]})
    shared = RunInputs(dataset, encoder, folder / "large", preset, stage=FIRST)
    Run(shared, "learned", SEED, folder / "run")  # Before it trains it takes the hashes of its data.
    large = Examples.of(shared.train, shared.vocabulary, shared.cache)
    first = large.first(_SMALL)
    small = replace(first, cache=FeatureCache(folder / "small", encoder))
    table, _ = shared.table("learned", SEED)
    decoder = Decoder(preset.decoder, table.vectors, encoder.channels, False, SEED, encoder.regions)
    return large, small, Trainer(decoder, preset.training, SEED, -(-len(records) // preset.training.images_per_batch))


def _in_turns(trainer: "Trainer", small: "Examples", large: "Examples") -> dict[str, float]:
    """Milliseconds of a step on either, and their ratio, round by round."""
    streams = {"small": _without_end(trainer, small), "large": _without_end(trainer, large)}
    rounds = []
    with Progress("training", _WARM_UP + _ROUNDS * _STEPS, "pairs of steps") as bar:
        for batch in chain.from_iterable(zip(*(islice(stream, _WARM_UP) for stream in streams.values()), strict=True)):
            trainer.learn(batch)
        bar.advance(_WARM_UP)
        for _ in range(_ROUNDS):
            spent = dict.fromkeys(streams, 0.0)
            for _ in range(_STEPS):
                for name, stream in streams.items():
                    start = time.perf_counter()
                    trainer.learn(next(stream))
                    spent[name] += (time.perf_counter() - start) * 1000 / _STEPS
                bar.advance()
            rounds.append(spent)
    times = {f"{name}_step_ms": median(spent[name] for spent in rounds) for name in streams}
    return times | {"step_ratio": median(spent["large"] / spent["small"] for spent in rounds)}


def _without_end(trainer: "Trainer", examples: "Examples") -> "Iterator[Batch]":
    """The batches of one epoch after another."""
    from captioner.training.trainer import batches

    epoch = partial(batches, examples, trainer.config, SEED, views=VIEW_NAMES)
    return chain.from_iterable(epoch(epoch=number) for number in count(1))


def _put_down(trainer: "Trainer", folder: Path) -> dict[str, dict[str, np.ndarray]]:
    """What a run holds and writes after an epoch."""
    state = {"state.safetensors": trainer.variables(), "best.safetensors": trainer.averaged_weights()}
    save_folder(folder / "state", {name: tensor_pieces(values) for name, values in state.items()})
    return state


def _read_epoch(examples: "Examples", at_once: int) -> int:
    """Read the features of one epoch in training's order; gives how many bytes that were."""
    from captioner.training.trainer import shuffled

    read, random = 0, np.random.default_rng((SEED, 1))
    with Progress("reading an epoch", len(examples.records), "photographs") as bar:
        for chosen, looked_at in shuffled(examples, at_once, VIEW_NAMES, random):
            read += examples.cache.rows([examples.records[image] for image in chosen], looked_at).nbytes
            bar.advance(len(chosen))
    return read


def _peak_gigabytes() -> float:
    return peak_megabytes() * 2**20 / 1e9


if __name__ == "__main__":
    part, place, *more = sys.argv[1:]
    measured = reading(Path(place)) if part == "reading" else training(Path(place), int(more[0]))
    print(json.dumps(measured))
