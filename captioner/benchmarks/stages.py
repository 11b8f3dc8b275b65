"""Where the time of captioning goes: every stage by itself, for one photograph or for many on all cores."""

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from statistics import median
from typing import TYPE_CHECKING, Any

import numpy as np

from captioner.captioning.beam_search import search
from captioner.config import SearchConfig
from captioner.data.images import read, resize
from captioner.vision.encoder import Seen

if TYPE_CHECKING:
    from captioner.captioning.captioner import Captioner
    from captioner.vision.keras_networks import Network

Times = dict[str, float]


def stage_times(captioner: "Captioner", network: "Network", batches: Sequence[Sequence[bytes]], config: SearchConfig) -> Times:
    """Milliseconds per photograph of each stage, over batches of files with a thread for each batch.

    `tensorflow` is the encoder's network in TensorFlow, in as many threads or in one, whichever is faster. A decoder's time is
    that of its steps; `search` is what all decoders' searches take around them. `together` is the whole way from the files to
    the captions, with the decoders side by side.
    """
    size, count = captioner.encoder.size, sum(map(len, batches))
    with ThreadPoolExecutor(len(batches)) as pool:

        def timed(work: Callable[[Any], Any], parts: Sequence[Any]) -> tuple[float, list[Any]]:
            start = time.perf_counter()
            results = list(pool.map(work, parts))
            return (time.perf_counter() - start) * 1000 / count, results

        times: Times = {}
        times["decode"], pictures = timed(lambda batch: [read(data) for data in batch], batches)
        times["resize"], ready = timed(lambda batch: np.stack([resize(picture, size) for picture in batch]), pictures)
        times["encode"], seen = timed(captioner.encoder.see, ready)
        searches = []
        for name in captioner.decoders:
            spent, parts = timed(partial(_seconds, captioner, name, config), seen)
            steps, around = map(sum, zip(*parts, strict=True))
            times[name] = spent * steps / (steps + around)
            searches.append(spent - times[name])
        times["search"] = sum(searches)
        times["together"] = timed(lambda batch: captioner.caption([read(data) for data in batch], config), batches)[0]
        times["tensorflow"] = min(timed(network.encode, parts)[0] for parts in (ready, [np.concatenate(ready)]))
    return times


def _seconds(captioner: "Captioner", name: str, config: SearchConfig, seen: Seen) -> tuple[float, float]:
    """The seconds that captions take in the decoder, and in the search around it."""
    inside, start = 0.0, time.perf_counter()
    session = captioner.session(name, seen)
    inside += time.perf_counter() - start

    def step(*given: Any) -> Any:
        nonlocal inside
        begun = time.perf_counter()
        found = session.step(*given)
        inside += time.perf_counter() - begun
        return found

    search(step, session.state, len(seen.features), config)
    return inside, time.perf_counter() - start - inside


def medians(rounds: Sequence[Times]) -> Times:
    return {name: median(times[name] for times in rounds) for name in rounds[0]}


def shares(times: Times) -> Times:
    """The stages' times as shares of TensorFlow's encoder."""
    return {name: spent / times["tensorflow"] for name, spent in times.items() if name != "tensorflow"}
