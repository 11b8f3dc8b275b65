"""Benchmark: caption thousands of files as `caption --out` does, against the encoder's network alone in TensorFlow.

`python tests/benchmarks/bulk.py --json > checkpoints/bench-bulk.json` writes the figures of the README. Both are measured in
turns, in a process of their own, so that no earlier work hides the growth of memory.
"""

import argparse
import json
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from itertools import cycle, islice
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

import numpy as np  # noqa: E402

from captioner.benchmarks.captioning import BULK, Result, photograph, tensorflow_network  # noqa: E402
from captioner.benchmarks.memory import peak_megabytes, run_apart  # noqa: E402
from captioner.benchmarks.table import Figure, table  # noqa: E402
from captioner.captioning import bulk  # noqa: E402
from captioner.captioning.listing import Listing  # noqa: E402
from captioner.config import SHIPPED, VARIANTS  # noqa: E402
from captioner.data.images import read_file  # noqa: E402
from captioner.errors import ImageError  # noqa: E402
from captioner.model.stage_folders import stage_folder  # noqa: E402
from captioner.progress import Progress  # noqa: E402
from captioner.runtime import cores  # noqa: E402

if TYPE_CHECKING:
    from captioner.captioning.captioner import Captioner
    from captioner.vision.keras_networks import Network

FIGURES = {
    "bulk": {
        "photographs": Figure("files captioned by all decoders, beam 3", "{:,.0f}"),
        "bulk_a_second": Figure("... in a second", "{:.1f}"),
        "encoder_a_second": Figure("ready pictures through the encoder's network in TensorFlow alone in a second", "{:.1f}"),
        "share_of_encoder": Figure("share of the encoder's speed that captioning reaches", "{:.0%}", 1.0),
        "bulk_growth_mb": Figure("growth of the peak memory after the first eighth", "{:.1f} MB", 50.0, least=False),
    }
}
PHOTOGRAPHS = 8000
_DIFFERENT = 1000  # files that are generated; each is captioned several times
_ROUNDS = 8
_SHARE = 0.25  # of a round's photographs, encoded alone as well
_WARM_UP = 2 * bulk.MANY
_MEASURE = "--measure"  # how this program starts itself in a process of its own


def bulk_bench(checkpoints: Path, photographs: int) -> Result:
    """Time files to captions of all decoders with beam 3, in a file on disk, against the encoder's network in TensorFlow.

    - bulk_a_second: photographs captioned per second; encoder_a_second: preprocessed pictures that the network alone takes
      per second, in equally large batches on equally many threads, or in one thread where that is faster. Both are measured
      in turns; share_of_encoder is the median of the rounds' ratios.
    - bulk_growth_mb: the growth of the peak memory from the end of the first round to the end of the last.

    The files are crops of the sample photographs, repeated.
    """
    with TemporaryDirectory(prefix="triptych-") as folder:
        _write(Path(folder), min(photographs, _DIFFERENT))
        arguments = str(Path(checkpoints).resolve()), str(photographs), folder
        return {"bulk": run_apart(str(Path(__file__).resolve()), _MEASURE, *arguments)}


def _write(folder: Path, count: int) -> None:
    with Progress("making photographs", count, "files") as bar:
        for number in range(count):
            (folder / f"{number}.jpg").write_bytes(photograph(number))
            bar.advance()


def measure(checkpoints: Path, photographs: int, folder: Path) -> dict[str, float]:
    from captioner.captioning.captioner import Captioner

    captioner, places = Captioner.load(checkpoints), _places(folder, photographs)
    network = tensorflow_network(captioner, checkpoints)
    ready = np.stack([read_file(place, captioner.encoder.size) for place in places[:_WARM_UP]])
    at_once = _fastest(network, ready)
    with TemporaryDirectory(prefix="triptych-") as place, closing(Listing(Path(place, "captions.jsonl"))) as listing:
        _caption(captioner, places[:_WARM_UP], listing)
        seconds, ceilings, peaks, size = [], [], [], -(-len(places) // _ROUNDS)
        with Progress("captioning", len(places), "photographs") as bar:
            for part in (places[first : first + size] for first in range(0, len(places), size)):
                passes = max(1, round(_SHARE * len(part) / len(ready)))
                ceilings.append(_encode(network, ready, at_once, passes))
                seconds.append(_caption(captioner, part, listing))
                peaks.append(peak_megabytes())
                bar.advance(len(part))
    return {
        "photographs": len(places),
        "bulk_a_second": 1 / median(seconds),
        "encoder_a_second": 1 / median(ceilings),
        "share_of_encoder": median(alone / whole for alone, whole in zip(ceilings, seconds, strict=True)),
        "bulk_growth_mb": peaks[-1] - peaks[0],
    }


def _places(folder: Path, photographs: int) -> list[str]:
    return list(islice(cycle(sorted(map(str, folder.iterdir()))), photographs))


def _caption(captioner: "Captioner", places: Sequence[str], listing: Listing) -> float:
    """Seconds per photograph, from the file to the line on disk."""
    size, start = captioner.encoder.size, time.perf_counter()
    for entry in bulk.entries(captioner, places, lambda place: read_file(place, size), BULK):
        if len(entry.get("captions", ())) != len(VARIANTS):
            raise ImageError(entry.get("error", "A decoder is missing; the benchmark needs all three."))
        listing.add(entry)
    return (time.perf_counter() - start) / len(places)


def _fastest(network: "Network", ready: np.ndarray) -> int:
    """The number of threads, 1 or one per core, with which the network is faster."""
    _encode(network, ready, cores(), 1)
    return min((1, cores()), key=lambda at_once: min(_encode(network, ready, at_once, 1) for _ in range(3)))


def _encode(network: "Network", ready: np.ndarray, at_once: int, passes: int) -> float:
    """Seconds per picture of the network alone, over preprocessed pictures in batches as large as captioning's."""
    batches = [ready[first : first + bulk.MANY] for first in range(0, len(ready), bulk.MANY)] * passes
    with ThreadPoolExecutor(at_once) as pool:
        start = time.perf_counter()
        for _ in pool.map(network.encode, batches):
            pass
        return (time.perf_counter() - start) / (len(ready) * passes)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--checkpoints", type=Path, default=SHIPPED, metavar="DIR")
    parser.add_argument("--photographs", type=int, default=PHOTOGRAPHS, metavar="N", help=f"default: {PHOTOGRAPHS:,}")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    result = bulk_bench(stage_folder(options.checkpoints, None), options.photographs)
    print(json.dumps(result, indent=1) if options.json else table(result, FIGURES))


if __name__ == "__main__":
    if sys.argv[1:2] == [_MEASURE]:
        print(json.dumps(measure(Path(sys.argv[2]), int(sys.argv[3]), Path(sys.argv[4]))))
    else:
        main()
