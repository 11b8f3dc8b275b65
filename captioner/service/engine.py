"""The decoders behind the service: photographs of many requests are encoded together, and captioned together.

How requests come in is left to `captioner.service.app`.
"""

import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from captioner.config import SearchConfig
from captioner.data.images import read
from captioner.errors import ConfigError
from captioner.scoring.evaluation import load_search_config
from captioner.service.batching import Batcher

if TYPE_CHECKING:
    from captioner.captioning.captioner import Caption, Captioner

MOST_TOGETHER, WAITING, PATIENCE = 32, 128, 0.003  # photographs, photographs, seconds
_WORKERS = 2  # While one batch is encoded, the other is captioned.

Captions = dict[str, list["Caption"]]
Timed = Callable[[str, float], None]


@dataclass(frozen=True)
class Wish:
    """How somebody wants a photograph captioned; photographs with equal wishes go through the decoders together."""

    config: SearchConfig
    variants: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Job:
    pixels: np.ndarray  # (size, size, 3)
    wish: Wish


class Engine:
    """Safe to share between threads; `close` finishes what was taken."""

    def __init__(
        self, captioner: "Captioner", search: SearchConfig, waiting: int = WAITING, timed: Timed = lambda part, seconds: None
    ):
        self.captioner, self.search, self._timed = captioner, replace(search, alternatives=0), timed
        self._batcher: Batcher[Job, Captions] = Batcher(self._work, MOST_TOGETHER, waiting, PATIENCE, _WORKERS)

    @classmethod
    def load(cls, folder: Path, weights: Path | None = None, **more: object) -> "Engine":
        """The decoders of this folder with the search setting that was chosen for them."""
        from captioner.captioning.captioner import Captioner

        captioner, search = Captioner.load(folder, weights=weights), load_search_config(folder)
        size = captioner.encoder.size
        captioner.caption([np.zeros((size, size, 3), np.uint8)], search)  # The network is built up at its first picture.
        return cls(captioner, search, **more)

    @property
    def waiting(self) -> int:
        return self._batcher.length

    def wish(self, beam: int | None, top: int, variants: Sequence[str]) -> Wish:
        """A beam as wide as the captions asked for, unless it was given; raises a `ConfigError` for what there is not."""
        missing = [name for name in variants if name not in self.captioner.variants]
        if missing:
            raise ConfigError(f"There is no decoder '{missing[0]}' here.")
        if beam is not None and beam < top:
            raise ConfigError(f"A beam of {beam} gives no {top} captions (top); give a beam of {top} or leave it out.")
        width = max(self.search.beam, top) if beam is None else beam
        return Wish(replace(self.search, beam=width), tuple(variants) or self.captioner.variants)

    def prepare(self, data: bytes, name: str, wish: Wish) -> Job:
        """A file as it came in to what the network takes; raises an `ImageError` where it is no picture."""
        start = time.perf_counter()
        job = Job(read(data, name, self.captioner.encoder.size), wish)
        self._timed("decode", time.perf_counter() - start)
        return job

    def submit(self, jobs: Sequence[Job]) -> list["Future[Captions]"]:
        """Raises a `BusyError` where too many wait already."""
        return self._batcher.submit(jobs)

    def close(self) -> None:
        self._batcher.close()

    def _work(self, jobs: Sequence[Job]) -> list[Captions]:
        start = time.perf_counter()
        features = self.captioner.encoder.encode(np.stack([job.pixels for job in jobs]))
        encoded = time.perf_counter()
        found: list[Captions] = [{} for _ in jobs]
        for wish in dict.fromkeys(job.wish for job in jobs):
            places = [place for place, job in enumerate(jobs) if job.wish == wish]
            captions = self.captioner.caption_features(features[places], wish.config, wish.variants)
            for place, one in zip(places, captions, strict=True):
                found[place] = one
        for part, seconds in (("encode", encoded - start), ("search", time.perf_counter() - encoded)):
            for _ in jobs:  # Each has had its share of the time.
                self._timed(part, seconds / len(jobs))
        return found
