"""Trains on real captions by one process and by several, and holds the weights against each other.

`python tests/hardening/workers.py --data DIR` prints the largest difference of any weight by the number of processes, in double
precision, where it shows whether all compute the same. In single precision, in which everybody trains, the last bit of a sum
grows into another training within some dozens of steps; so there one process that takes the photographs of every step in the
opposite order stands beside the several. Dropout is off: its masks are each worker's own.
"""

import hashlib
import json
import math
import sys
import time
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from safetensors.numpy import load_file
from safetensors.numpy import save as save_tensors
from stress import options, report

from captioner.config import Preset
from captioner.presets import find_preset
from captioner.runtime import start_tensorflow
from captioner.storage import write_bytes
from captioner.training.worker_group import join
from captioner.vision.feature_cache import default_folder
from support.workers import run_workers

STEPS, PROCESSES, PRESET = 200, (2, 4), "triptych"
ALLOWED = 1e-4
ROUNDINGS = 3  # times what another order of adding up makes of the same training in single precision
DOUBLE, SINGLE = "float64", "float32"
FORWARD, BACKWARD = "forward", "backward"  # in which order the photographs of a step are taken
_WORK = "--work"  # How this program starts itself as one of several.
_DEV = 64
_ENDED = "ended.safetensors"


def without_dropout(preset: Preset, epochs: int) -> Preset:
    decoder = replace(preset.decoder, dropout=0.0, feature_dropout=0.0)
    return replace(preset, decoder=decoder, training=replace(preset.training, epochs=epochs, patience=epochs, word_dropout=0.0))


def work(folder: Path, precision: str, order: str, data: str, cache: Path, preset: str, steps: int) -> dict:
    """Train as one of the workers; the first puts its variables into the folder."""
    start_tensorflow(repeatable=True)
    import keras

    from captioner.data.datasets import load
    from captioner.training.run import Run
    from captioner.training.run_inputs import RunInputs
    from captioner.vision.encoders import load_encoder

    chosen, found = find_preset(preset), load(data)
    keras.config.set_floatx(precision)
    workers = join()
    at_once = chosen.training.images_per_batch
    splits = {"train": found.split("train")[: steps * at_once], "dev": found.split("dev")[:_DEV]}
    epochs = math.ceil(steps * at_once / len(splits["train"]))
    encoder, chosen = load_encoder(chosen.encoder), without_dropout(chosen, epochs)
    inputs = RunInputs(replace(found, splits=splits), encoder, cache, chosen, workers=workers)
    if order == BACKWARD:
        take_backward()
    state = Run(inputs, "learned", 1, folder).execute()
    ended = save_tensors(state.variables)
    if workers.first:
        write_bytes(folder / _ENDED, ended)
    done = epochs * math.ceil(len(splits["train"]) / at_once)
    return {"steps": done, "photographs_at_once": at_once, "sha256": hashlib.sha256(ended).hexdigest()}


def take_backward() -> None:
    """From now on this process takes the photographs of every batch the other way round, and so adds up in another order."""
    from captioner.training.batches import Examples

    batch = Examples.batch
    Examples.batch = lambda self, chosen, views=None: batch(self, chosen[::-1], views and views[::-1])


def differences(one: Path, other: Path) -> dict:
    """Over all weights, and over all that changes in a training besides them."""
    first, second = load_file(one / _ENDED), load_file(other / _ENDED)
    if set(first) != set(second):
        raise SystemExit("The two trainings have other variables; one of them was by another version.")
    by_name = {name: float(np.abs(first[name].astype(float) - second[name]).max()) for name in first}
    weights = {name: value for name, value in by_name.items() if name.startswith("weights/")}
    return {
        "largest_difference": max(weights.values()),
        "in": max(weights, key=weights.get),
        "largest_difference_of_anything": max(by_name.values()),
        "weights": sum(first[name].size for name in weights),
        "largest_weight": max(float(np.abs(first[name]).max()) for name in weights),
    }


def compare(folder: Path, precision: str, counts: tuple[int, ...], given: list[str]) -> dict:
    """One process alone; then by how many others the same work was done, and what that differs in."""

    def train(place: Path, count: int, order: str = FORWARD) -> list[dict]:
        said = run_workers([str(Path(__file__).resolve()), _WORK, str(place), precision, order, *given], count)
        print(f"{precision}, {order}: {count} of {(1, *counts)} processes done", file=sys.stderr)
        return said

    (alone,) = train(folder / "alone", 1)
    result = {name: alone[name] for name in ("steps", "photographs_at_once")} | {"processes": {}}
    for count in counts:
        alike = len({one["sha256"] for one in train(folder / str(count), count)}) == 1
        found = differences(folder / "alone", folder / str(count))
        result["processes"][str(count)] = found | {"all_workers_bit_equal": alike}
    if precision == SINGLE:
        train(folder / BACKWARD, 1, BACKWARD)
        result["one_backward"] = differences(folder / "alone", folder / BACKWARD)
    return result


def measure(given: list[str], counts: tuple[int, ...]) -> dict:
    begun = time.monotonic()
    with TemporaryDirectory() as place:
        found = {precision: compare(Path(place) / precision, precision, counts, given) for precision in (DOUBLE, SINGLE)}
    shared = {name: found[DOUBLE][name] for name in ("steps", "photographs_at_once", "processes")}
    single = {"in_single_precision": {name: found[SINGLE][name] for name in ("processes", "one_backward")}}
    return shared | single | {"minutes": round((time.monotonic() - begun) / 60, 1)}


def is_good(found: dict) -> bool:
    """The weights are those of one process, in single precision but for rounding, and all workers have the same bits."""
    double, rounded = found["processes"].values(), found["in_single_precision"]
    single, rounding = rounded["processes"].values(), rounded["one_backward"]["largest_difference"]
    close = all(part["largest_difference"] < ALLOWED for part in double)
    close = close and all(part["largest_difference"] <= ROUNDINGS * rounding for part in single)
    return close and all(part["all_workers_bit_equal"] for part in (*double, *single))


def main() -> int:
    parser = options(__doc__, steps=(STEPS, "training steps"))
    parser.add_argument("--data", required=True, metavar="DIR", help="a folder of Flickr8k or of COCO captions")
    parser.add_argument("--cache", type=Path, default=default_folder(), metavar="DIR", help="where features are kept")
    parser.add_argument("--preset", default=PRESET, metavar="NAME", help=f"({PRESET})")
    parser.add_argument("--processes", type=int, nargs="+", default=list(PROCESSES), metavar="N", help=f"({PROCESSES})")
    given = parser.parse_args()
    place = [str(Path(given.data).resolve()), str(given.cache.resolve())]
    found = {"preset": given.preset} | measure([*place, given.preset, str(given.steps)], tuple(given.processes))
    return report(found, not is_good(found))


if __name__ == "__main__":
    if sys.argv[1:2] == [_WORK]:
        folder, precision, order, data, cache, preset, steps = sys.argv[2:]
        print(json.dumps(work(Path(folder), precision, order, data, Path(cache), preset, int(steps))))
        sys.exit(0)
    sys.exit(main())
