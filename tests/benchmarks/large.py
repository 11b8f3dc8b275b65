"""Benchmark: train on a feature cache larger than memory, and read captions in COCO's format, each in a process of its own.

`python tests/benchmarks/large.py --json > checkpoints/bench-large.json` writes the figures of the README. The data is
synthetic (`tests/support/synthetic.py`); the peak of a process covers everything that it did.
"""

import argparse
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

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

import numpy as np  # noqa: E402

from captioner.benchmarks.captioning import Result  # noqa: E402
from captioner.benchmarks.memory import peak_megabytes, run_apart  # noqa: E402
from captioner.benchmarks.table import Figure, table  # noqa: E402
from captioner.config import FIRST, Preset  # noqa: E402
from captioner.data.datasets import Dataset, Record, load  # noqa: E402
from captioner.presets import find_preset  # noqa: E402
from captioner.progress import Progress  # noqa: E402
from captioner.storage import save_folder, tensor_pieces  # noqa: E402
from captioner.vocabulary import Vocabulary, tokenize  # noqa: E402
from support import synthetic  # noqa: E402
from support.synthetic import SEED, VIEW_NAMES, SilentEncoder  # noqa: E402

if TYPE_CHECKING:
    from captioner.training.batches import Batch, Examples
    from captioner.training.trainer import Trainer

FIGURES = {
    "large": {
        "cache_gb": Figure("a synthetic feature cache, in sparse files", "{:,.0f} GB"),
        "cache_photographs": Figure("... photographs in it", "{:,.0f}"),
        "prepare_s": Figure("... before the first step of training on it", "{:.1f} s"),
        "small_step_ms": Figure("a step of training on a small cache", "{:.0f} ms"),
        "large_step_ms": Figure("... on the synthetic one", "{:.0f} ms"),
        "step_ratio": Figure("... against the small one", "{:.2f} times as long", 1.1, least=False),
        "epoch_read_gb": Figure("features that an epoch reads of it", "{:,.0f} GB"),
        "training_peak_gb": Figure("peak memory of training on it", "{:.2f} GB", 2.0, least=False),
    },
    "coco": {
        "captions": Figure("synthetic captions in COCO's format", "{:,.0f}"),
        "file_mb": Figure("... their files", "{:.0f} MB"),
        "read_s": Figure("... reading them", "{:.1f} s", 20.0, least=False),
        "vocabulary_s": Figure("... splitting them into words and counting the words", "{:.1f} s"),
        "read_peak_gb": Figure("... peak memory of both", "{:.2f} GB", 1.5, least=False),
    },
}
SPARSE = "The cache is sparse files: the figures show memory and bookkeeping, not the speed of a disk."
GIGABYTES = 60.0
PRESET = "triptych"
_SMALL = 512  # photographs of the small cache
_COCO = (120_000, 5_000)  # photographs for training, and others; five captions each
_ROUNDS, _STEPS = 6, 12
_WARM_UP = 8
_TRAINING, _READING = "--measure-training", "--measure-reading"  # how this program starts itself in processes of their own


def large_bench(gigabytes: float) -> Result:
    """Train on a synthetic cache of this size, and read synthetic captions in COCO's format.

    - large_step_ms and small_step_ms: a step of the preset `triptych` with fetching its batch, on the large cache and on one
      of a few hundred photographs, in turns; step_ratio is the median of the rounds' ratios.
    - training_peak_gb: the peak of a process that did all this, computed a dev loss on some hundred photographs, saved the
      training's state, and read the features of one whole epoch in training's order, epoch_read_gb. prepare_s is its time
      before the first step.
    - read_s: reading the data set; vocabulary_s: splitting its captions into words and counting them; read_peak_gb: the peak
      of a process that did both.
    """
    encoder = SilentEncoder()
    with TemporaryDirectory(prefix="triptych-") as folder:
        photographs = max(_SMALL, round(gigabytes * 1e9 / encoder.photograph_bytes))
        synthetic.write_cache(Path(folder) / "large", photographs, encoder)
        synthetic.write_cache(Path(folder) / "small", _SMALL, encoder)
        training = run_apart(str(Path(__file__).resolve()), _TRAINING, folder, str(photographs))
    with TemporaryDirectory(prefix="triptych-") as folder:
        synthetic.write_coco(Path(folder), *_COCO)
        reading = run_apart(str(Path(__file__).resolve()), _READING, folder)
    return {"large": training, "coco": reading}


def reading(folder: Path) -> dict[str, float]:
    """Read a folder in COCO's format, and split the training captions into words."""
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
    state = _save(trainer, folder)
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
    """Both caches with their captions, prepared as for any run, and the trainer of a decoder."""
    from captioner.model.decoder import Decoder
    from captioner.training.batches import Examples
    from captioner.training.run import Run
    from captioner.training.run_inputs import RunInputs
    from captioner.training.trainer import Trainer
    from captioner.vision.feature_cache import FeatureCache

    preset = replace(preset, training=replace(preset.training, views=len(VIEW_NAMES)))
    dataset = Dataset("synthetic", {"train": records, "dev": records[:_SMALL]})
    shared = RunInputs(dataset, encoder, folder / "large", preset, stage=FIRST)
    Run(shared, "learned", SEED, folder / "run")  # Hashes its data before it trains.
    large = Examples.of(shared.train, shared.vocabulary, shared.cache)
    first = large.part(slice(_SMALL))
    small = replace(first, cache=FeatureCache(folder / "small", encoder))
    table, _ = shared.table("learned", SEED)
    decoder = Decoder(preset.decoder, table.vectors, encoder.channels, False, SEED, encoder.regions)
    return large, small, Trainer(decoder, preset.training, SEED, -(-len(records) // preset.training.images_per_batch))


def _in_turns(trainer: "Trainer", small: "Examples", large: "Examples") -> dict[str, float]:
    """Milliseconds of a step on each cache, and the ratio of the rounds."""
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
    from captioner.training.batches import batches

    epoch = partial(batches, examples, trainer.config, SEED, views=VIEW_NAMES)
    return chain.from_iterable(epoch(epoch=number) for number in count(1))


def _save(trainer: "Trainer", folder: Path) -> dict[str, dict[str, np.ndarray]]:
    """Save what a run holds after an epoch; return it."""
    from captioner.training.weight_averages import values_of

    state = {"state.safetensors": values_of(trainer.named_variables()), "best.safetensors": trainer.averaged_weights()}
    save_folder(folder / "state", {name: tensor_pieces(values) for name, values in state.items()})
    return state


def _read_epoch(examples: "Examples", at_once: int) -> int:
    """Read the features of one epoch in training's order; return the number of bytes."""
    from captioner.training.batches import shuffled

    read, random = 0, np.random.default_rng((SEED, 1))
    with Progress("reading an epoch", len(examples.records), "photographs") as bar:
        for chosen, looked_at in shuffled(examples, at_once, VIEW_NAMES, random):
            read += examples.cache.rows([examples.records[image] for image in chosen], looked_at).nbytes
            bar.advance(len(chosen))
    return read


def _peak_gigabytes() -> float:
    return peak_megabytes() * 2**20 / 1e9


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--gigabytes", type=float, default=GIGABYTES, metavar="N", help=f"default: {GIGABYTES:g}")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    print(SPARSE, file=sys.stderr)
    result = large_bench(options.gigabytes)
    print(json.dumps(result, indent=1) if options.json else table(result, FIGURES))


if __name__ == "__main__":
    if sys.argv[1:2] == [_READING]:
        print(json.dumps(reading(Path(sys.argv[2]))))
    elif sys.argv[1:2] == [_TRAINING]:
        print(json.dumps(training(Path(sys.argv[2]), int(sys.argv[3]))))
    else:
        main()
