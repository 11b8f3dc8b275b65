"""The decoders of one folder behind a work queue: photographs of many requests are encoded and captioned together.

Requests come in through `captioner.service.app` and the page, which share one queue where one process serves both.
"""

import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from captioner.captioning.bulk import best_of
from captioner.captioning.search_settings import load_search_config
from captioner.config import SearchConfig
from captioner.data.images import read
from captioner.runtime import cores
from captioner.service.queue import Batcher, WorkQueue

if TYPE_CHECKING:
    from captioner.captioning.caption import Caption
    from captioner.captioning.captioner import Captioner

MOST_TOGETHER, PATIENCE = 32, 0.003  # photographs, seconds
_AT_ONCE = 2  # While one batch is encoded, the other is captioned.

Captions = dict[str, list["Caption"]]
Timed = Callable[[str, float], None]


@dataclass(frozen=True)
class CaptionOptions:
    """How to caption a photograph; photographs with equal options go through the decoders together."""

    config: SearchConfig
    variants: tuple[str, ...]
    told: tuple[str, ...] | None = None  # words for the slots
    notes: tuple[str, ...] = ()  # which decoder has no vector for a told word


@dataclass(frozen=True, eq=False)
class Job:
    pixels: np.ndarray  # (size, size, 3)
    options: CaptionOptions


class Engine:
    """Safe to share between threads; `close` finishes the accepted jobs."""

    def __init__(self, captioner: "Captioner", search: SearchConfig = SearchConfig(), queue: WorkQueue | None = None):
        self.captioner, self.search = captioner, search
        self.queue = queue or WorkQueue(_AT_ONCE)
        self.timed: Timed = lambda part, seconds: None
        self._batcher: Batcher[Job, Captions] = Batcher(self.queue, self._work, MOST_TOGETHER, PATIENCE, _AT_ONCE)

    @classmethod
    def load(cls, folder: Path, weights: Path | None = None) -> "Engine":
        """The decoders of this folder with the search setting that was chosen for them."""
        from captioner.captioning.captioner import Captioner

        return cls(Captioner.load(folder, weights=weights), load_search_config(folder)).warmed_up()

    def warmed_up(self) -> "Engine":
        """The same after the first pictures, for which the encoder prepares its threads."""
        size = self.captioner.encoder.size
        self.captioner.caption([np.zeros((size, size, 3), np.uint8)] * cores(), self.search)
        return self

    def options(self, beam: int | None, top: int, variants: Sequence[str], told: Sequence[str] = ()) -> CaptionOptions:
        """Raises a `ConfigError` for a decoder that is not loaded, a beam that is too narrow or a word that cannot be told."""
        notes, names = tuple(self.captioner.check_told(told, variants)), tuple(variants) or self.captioner.variants
        return CaptionOptions(best_of(self.search, top, beam), names, tuple(told) or None, notes)

    def prepare(self, data: bytes, name: str, options: CaptionOptions) -> Job:
        """Decode an uploaded file; raises an `ImageError` if it is not a picture."""
        start = time.perf_counter()
        job = Job(read(data, name, self.captioner.encoder.size), options)
        self.timed("decode", time.perf_counter() - start)
        return job

    def submit(self, jobs: Sequence[Job]) -> list["Future[Captions]"]:
        """Raises a `BusyError` if the queue is full."""
        return self._batcher.submit(jobs)

    def close(self) -> None:
        self.queue.close()

    def _work(self, jobs: Sequence[Job]) -> list[Captions]:
        start = time.perf_counter()
        seen = self.captioner.encoder.see(np.stack([job.pixels for job in jobs]))
        encoded = time.perf_counter()
        found: list[Captions] = [{} for _ in jobs]
        for options in dict.fromkeys(job.options for job in jobs):
            places = [place for place, job in enumerate(jobs) if job.options == options]
            captions = self.captioner.caption_seen(seen.part(places), options.config, options.variants, told=options.told)
            for place, one in zip(places, captions, strict=True):
                found[place] = one
        for part, seconds in (("encode", encoded - start), ("search", time.perf_counter() - encoded)):
            for _ in jobs:
                self.timed(part, seconds / len(jobs))
        return found
