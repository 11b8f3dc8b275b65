"""The agreement of a fine-tuned encoder with the original in what they recognise on the same photographs."""

from collections.abc import Sequence

import numpy as np

from captioner.data.datasets import Record
from captioner.data.images import read, resize
from captioner.vision.encoder import Encoder
from captioner.vision.nouns import nouns

_BATCH = 32


def class_agreement(encoder: Encoder, original: Encoder, records: Sequence[Record]) -> dict[str, float]:
    """How far the classes of the encoder agree with the original's, on readable photographs.

    - same_class: the share of the photographs with the same likeliest class;
    - same_noun: the share with the same strongest noun;
    - divergence: the mean Kullback-Leibler divergence of the encoder's probabilities from the original's, in nats.
    """
    parts = (records[first : first + _BATCH] for first in range(0, len(records), _BATCH))
    found = np.concatenate([_compared(encoder, original, part) for part in parts]).mean(axis=0)
    names = ("same_class", "same_noun", "divergence")
    return {"photographs": len(records)} | {name: round(float(value), 4) for name, value in zip(names, found, strict=True)}


def _compared(encoder: Encoder, original: Encoder, records: Sequence[Record]) -> np.ndarray:
    """The three measures for each photograph, (photographs, 3)."""
    pictures = np.stack([resize(read(record.read(), record.name), original.size) for record in records])
    seen, expected = encoder.see(pictures), original.see(pictures)
    same_class = seen.classes.argmax(axis=1) == expected.classes.argmax(axis=1)
    one, other = (nouns().strongest(it.classes, it.regional, 1, 0.0).numbers[:, 0] for it in (seen, expected))
    least = np.finfo(np.float32).tiny
    logarithms = np.log(np.maximum(expected.classes, least)) - np.log(np.maximum(seen.classes, least))
    return np.stack([same_class, one == other, (expected.classes * logarithms).sum(axis=1)], axis=1)
