"""Measures captioning thousands of files, by the way that `caption --json` takes, against the encoder alone.

Both are measured in turns, in a process of their own, so that nothing that was done before hides how its memory grows.
"""

import json
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from itertools import cycle, islice
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import numpy as np

from captioner.benchmarks.captioning import BEAM, Result, apart, handed_on, photograph
from captioner.benchmarks.memory import peak_megabytes
from captioner.captioning import bulk
from captioner.captioning.listing import Listing
from captioner.config import VARIANTS
from captioner.data.images import SUFFIXES, read_file
from captioner.errors import ImageError
from captioner.progress import Progress
from captioner.runtime import cores

if TYPE_CHECKING:
    from captioner.captioning.captioner import Captioner

_SEARCH = replace(BEAM, alternatives=0)
_DIFFERENT = 1000  # files that are made; each is captioned several times
_ROUNDS = 8
_SHARE = 0.25  # of a round's photographs are encoded alone, too
_WARM_UP = 2 * bulk.MANY


def bulk_bench(checkpoints: Path, photographs: int, data: Path | None = None, weights: Path | None = None) -> Result:
    """So many files to captions of all decoders with beam 3, in a listing on disk, and what that is held against.

    - bulk_a_second: photographs captioned in a second; encoder_a_second: ready pictures that the encoder alone takes in a
      second, in as large batches on as many threads, or in one thread where that is faster. Both are measured in turns;
      share_of_encoder is the middle one of the rounds' ratios.
    - bulk_growth_mb: how much the peak memory rises from the end of the first round to the end of the last one.

    The files are parts of the sample photographs, or the pictures in the folder `data`, over and over. `weights` is the file
    of an encoder's that does not come with its own.
    """
    with TemporaryDirectory(prefix="triptych-") as made:
        folder = data or _write(Path(made), min(photographs, _DIFFERENT))
        arguments = str(Path(checkpoints).resolve()), str(photographs), str(folder.resolve()), *handed_on(weights)
        return {"bulk": apart("captioner.benchmarks.bench_bulk", *arguments)}


def _write(folder: Path, count: int) -> Path:
    with Progress("making photographs", count, "files") as bar:
        for number in range(count):
            (folder / f"{number}.jpg").write_bytes(photograph(number))
            bar.advance()
    return folder


def measure(checkpoints: Path, photographs: int, folder: Path, weights: Path | None = None) -> dict[str, float]:
    from captioner.runtime import start_tensorflow

    start_tensorflow()
    from captioner.captioning.captioner import Captioner

    captioner, places = Captioner.load(checkpoints, weights=weights), _places(folder, photographs)
    ready = np.stack([read_file(place, captioner.encoder.size) for place in places[:_WARM_UP]])
    at_once = _fastest(captioner, ready)
    with TemporaryDirectory(prefix="triptych-") as place, closing(Listing(Path(place, "captions.jsonl"))) as listing:
        _caption(captioner, places[:_WARM_UP], listing)
        seconds, ceilings, peaks, size = [], [], [], -(-len(places) // _ROUNDS)
        with Progress("captioning", len(places), "photographs") as bar:
            for part in (places[first : first + size] for first in range(0, len(places), size)):
                passes = max(1, round(_SHARE * len(part) / len(ready)))
                ceilings.append(_encode(captioner, ready, at_once, passes))
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
    found = sorted(str(path) for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES)
    if not found:
        raise ImageError(f"There are no pictures ({', '.join(SUFFIXES)}) in {folder}; name another folder.")
    return list(islice(cycle(found), photographs))


def _caption(captioner: "Captioner", places: Sequence[str], listing: Listing) -> float:
    """Seconds a photograph, from files to a listing on disk."""
    size, start = captioner.encoder.size, time.perf_counter()
    for entry in bulk.entries(captioner, places, lambda place: read_file(place, size), _SEARCH):
        if len(entry.get("captions", ())) != len(VARIANTS):
            raise ImageError(entry.get("error", "A decoder is missing; the bench takes all three."))
        listing.add(entry)
    return (time.perf_counter() - start) / len(places)


def _fastest(captioner: "Captioner", ready: np.ndarray) -> int:
    """Whether the encoder alone is faster with a batch after another, or with one on each core."""
    _encode(captioner, ready, cores(), 1)
    return min((1, cores()), key=lambda at_once: min(_encode(captioner, ready, at_once, 1) for _ in range(3)))


def _encode(captioner: "Captioner", ready: np.ndarray, at_once: int, passes: int) -> float:
    """Seconds a picture of the encoder alone, over ready pictures in batches as large as captioning takes them."""
    batches = [ready[first : first + bulk.MANY] for first in range(0, len(ready), bulk.MANY)] * passes
    with ThreadPoolExecutor(at_once) as pool:
        start = time.perf_counter()
        for _ in pool.map(captioner.encoder.encode, batches):
            pass
        return (time.perf_counter() - start) / (len(ready) * passes)


if __name__ == "__main__":
    print(json.dumps(measure(Path(sys.argv[1]), int(sys.argv[2]), *map(Path, sys.argv[3:]))))
