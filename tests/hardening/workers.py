"""Trains on real captions by one process and by several, and holds the weights against each other.

`python tests/hardening/workers.py --data DIR` prints the largest difference of any weight by the number of processes. Dropout
is off: its masks are each worker's own, so with it several processes are as good as one, but not equal.
"""

import argparse
import hashlib
import json
import math
import os
import sys
import time
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

import numpy as np  # noqa: E402
from safetensors.numpy import load_file  # noqa: E402
from safetensors.numpy import save as save_tensors  # noqa: E402

from captioner.bench_workers import run_workers  # noqa: E402
from captioner.config import Preset  # noqa: E402
from captioner.features import default_folder  # noqa: E402
from captioner.folders import write_bytes  # noqa: E402
from captioner.presets import find_preset  # noqa: E402
from captioner.workers import join  # noqa: E402

STEPS, PROCESSES, PRESET = 200, (2, 4), "triptych"
ALLOWED = 1e-4
_WORK = "--work"  # How this program starts itself as one of several.
_DEV = 64
_ENDED = "ended.safetensors"


def without_dropout(preset: Preset, epochs: int) -> Preset:
    decoder = replace(preset.decoder, dropout=0.0, feature_dropout=0.0)
    return replace(preset, decoder=decoder, training=replace(preset.training, epochs=epochs, patience=epochs, word_dropout=0.0))


def work(folder: Path, data: str, cache: Path, preset: str, steps: int) -> dict:
    """Train as one of the workers; the first puts its variables into the folder."""
    from captioner.datasets import load
    from captioner.encoder import load_encoder
    from captioner.runs import Preparation, Run
    from captioner.runtime import start_tensorflow

    workers = join()
    start_tensorflow(repeatable=True)
    found, chosen = load(data), find_preset(preset)
    at_once = chosen.training.images_per_batch
    splits = {"train": found.split("train")[: steps * at_once], "dev": found.split("dev")[:_DEV]}
    epochs = math.ceil(steps * at_once / len(splits["train"]))
    encoder, chosen = load_encoder(chosen.encoder), without_dropout(chosen, epochs)
    preparation = Preparation(replace(found, splits=splits), encoder, cache, chosen, workers=workers)
    progressed = Run(preparation, "learned", 1, folder).execute()
    ended = save_tensors(progressed.variables)
    if workers.first:
        write_bytes(folder / _ENDED, ended)
    done = epochs * math.ceil(len(splits["train"]) / at_once)
    return {"steps": done, "photographs_at_once": at_once, "sha256": hashlib.sha256(ended).hexdigest()}


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


def measure(data: str, cache: Path, preset: str, steps: int, counts: tuple[int, ...]) -> dict:
    begun, result = time.monotonic(), {}
    with TemporaryDirectory() as place:
        for count in (1, *counts):
            folder = Path(place) / str(count)
            own = [str(Path(__file__).resolve()), _WORK, str(folder), data, str(cache), preset, str(steps)]
            said = run_workers(own, count)
            print(f"{count} of {(1, *counts)} processes done", file=sys.stderr)
            if count == 1:
                result = {name: said[0][name] for name in ("steps", "photographs_at_once")} | {"preset": preset, "processes": {}}
                continue
            alike = len({one["sha256"] for one in said}) == 1
            found = differences(Path(place) / "1", folder)
            result["processes"][str(count)] = found | {"all_workers_bit_equal": alike}
    return result | {"minutes": round((time.monotonic() - begun) / 60, 1)}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", required=True, metavar="DIR", help="a folder of Flickr8k or of COCO captions")
    parser.add_argument("--cache", type=Path, default=default_folder(), metavar="DIR", help="where features are kept")
    parser.add_argument("--preset", default=PRESET, metavar="NAME", help=f"({PRESET})")
    parser.add_argument("--steps", type=int, default=STEPS, metavar="N", help=f"({STEPS})")
    parser.add_argument("--processes", type=int, nargs="+", default=list(PROCESSES), metavar="N", help=f"({PROCESSES})")
    given = parser.parse_args()
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    found = measure(str(Path(given.data).resolve()), given.cache.resolve(), given.preset, given.steps, tuple(given.processes))
    print(json.dumps(found, indent=1))
    good = all(part["largest_difference"] < ALLOWED and part["all_workers_bit_equal"] for part in found["processes"].values())
    return 0 if good else 1


if __name__ == "__main__":
    if sys.argv[1:2] == [_WORK]:
        folder, data, cache, preset, steps = sys.argv[2:]
        print(json.dumps(work(Path(folder), data, Path(cache), preset, int(steps))))
        sys.exit(0)
    sys.exit(main())
