"""What training on COCO would cost with several workers, computed from what was measured on other photographs.

A worker is taken to be a machine like the one that was measured on; the network's speed is a parameter. What is known of
COCO stands here, and how many times as much its larger vocabulary is to compute follows from the shapes of the decoder.
"""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from captioner.benchmarks.operations import epoch_gflop
from captioner.config import Preset

PHOTOGRAPHS, DEV_PHOTOGRAPHS, CAPTIONS = 118_287, 5_000, 5  # train2017 and val2017
VOCABULARY = 10_000  # An assumption: words that occur five times or more, as published systems count them, are nearly so many.
NETWORKS = (1.0, 10.0)  # Gbit/s
_FLOAT16, _FLOAT32 = 2, 4
_GIGA, _HOUR, _MS = 1e9, 3600, 1e-3


@dataclass(frozen=True)
class Measured:
    """What one run of the bench found, on one machine, with the processes of a row of `all_reduce_ms` on its loopback."""

    cores: int
    photographs: int
    words_per_photograph: float
    vocabulary: int
    regions: int
    channels: int
    parameters: int  # numbers that are added up at every step
    gradient_ms: Mapping[str, float]  # of one worker's part of a step's photographs, by how many parts there are
    move_ms: float  # of the optimizer's step, which every worker takes
    all_reduce_ms: Mapping[str, float]  # of one sum on loopback, by the number of processes
    encode_ms: float  # of one view of a photograph
    memory_mb: float  # of one worker, without the features, which are looked up in files
    captions_mb: float  # of it the photographs' names and captions

    @property
    def workers(self) -> list[int]:
        return sorted(int(count) for count in self.gradient_ms)


def ring_bytes(numbers: int, workers: int) -> float:
    """What each worker sends, and receives, when so many float32 are added up around a ring.

    >>> ring_bytes(1000, 1), ring_bytes(1000, 2), ring_bytes(1000, 4)
    (0.0, 4000.0, 6000.0)
    """
    return 2 * (workers - 1) / workers * numbers * _FLOAT32


def cost(measured: Measured, preset: Preset) -> dict[str, Any]:
    """The facts that the table rests on, and its rows; as plain data."""
    views, at_once = max(1, preset.training.views), preset.training.images_per_batch
    row_bytes = measured.regions * measured.channels * _FLOAT16
    memory = measured.memory_mb + measured.captions_mb * (PHOTOGRAPHS / measured.photographs - 1)
    facts = {
        "photographs": PHOTOGRAPHS,
        "captions": CAPTIONS,
        "vocabulary": VOCABULARY,
        "views": views,
        "photographs_at_once": at_once,
        "parameters": _parameters(measured, preset),
        "times_the_gradients": _times_the_gradients(measured, preset),
        "cache_gb": (PHOTOGRAPHS * views + DEV_PHOTOGRAPHS) * row_bytes / _GIGA,
        "memory_gb": memory * 2**20 / _GIGA,
    }
    rows = [_row(measured, facts, 1, None)]
    rows += [_row(measured, facts, count, speed) for count in measured.workers if count > 1 for speed in NETWORKS]
    return facts | {"rows": rows}


def _row(measured: Measured, facts: Mapping[str, Any], workers: int, speed: float | None) -> dict[str, Any]:
    """Hours with the same step shared out, and with a step so many times as large, of which each worker has a whole one."""
    at_once, growth = facts["photographs_at_once"], facts["parameters"] / measured.parameters
    together = growth * (measured.move_ms + measured.all_reduce_ms.get(str(workers), 0.0)) * _MS
    sent = ring_bytes(facts["parameters"], workers)
    if speed:
        together += sent * 8 / (speed * _GIGA)
    shared, whole = (facts["times_the_gradients"] * measured.gradient_ms[str(parts)] * _MS for parts in (workers, 1))
    encoding = (PHOTOGRAPHS * facts["views"] + DEV_PHOTOGRAPHS) * measured.encode_ms * _MS / workers
    return {
        "workers": workers,
        "gbit_per_second": speed,
        "megabytes_a_step": sent / 1e6,
        "hours_shared": math.ceil(PHOTOGRAPHS / at_once) * (shared + together) / _HOUR,
        "hours_whole": math.ceil(PHOTOGRAPHS / (at_once * workers)) * (whole + together) / _HOUR,
        "hours_encoding": encoding / _HOUR,
    }


def _parameters(measured: Measured, preset: Preset) -> int:
    """With COCO's vocabulary: a vector and a score's weights and bias for every word more."""
    decoder = preset.decoder
    width = decoder.units + (decoder.image_units if decoder.image_entry == "attention" else 0)
    per_word = decoder.embedding_dimensions + (decoder.hidden_units or width) + 1
    return measured.parameters + (VOCABULARY - measured.vocabulary) * per_word


def _times_the_gradients(measured: Measured, preset: Preset) -> float:
    """How many times as many operations a photograph is, for the scores of more words."""

    def of(vocabulary: int) -> float:
        sizes = (vocabulary, measured.regions, measured.channels)
        return epoch_gflop(preset.decoder, *sizes, images=1, words=measured.words_per_photograph)

    return of(VOCABULARY) / of(measured.vocabulary)


def result(measured: Measured, preset: Preset) -> dict[str, Any]:
    """All of it, as the bench prints it."""
    return {"workers": asdict(measured) | {"preset": preset.name}, "coco": cost(measured, preset)}
