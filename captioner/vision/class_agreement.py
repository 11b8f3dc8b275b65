"""The agreement of a fine-tuned encoder with the original in what they recognise on the same photographs."""

from collections.abc import Sequence

import numpy as np

from captioner.data.datasets import Record
from captioner.data.images import read, resize
from captioner.errors import EncoderError
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
    (found, noun), (expected, expected_noun) = (_recognised(one, pictures) for one in (encoder, original))
    same_class, least = found.argmax(axis=1) == expected.argmax(axis=1), np.finfo(np.float32).tiny
    logarithms = np.log(np.maximum(expected, least)) - np.log(np.maximum(found, least))
    return np.stack([same_class, noun == expected_noun, (expected * logarithms).sum(axis=1)], axis=1)


def _recognised(encoder: Encoder, pictures: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The probabilities of the classes, (pictures, classes), and the number of the strongest noun, (pictures,)."""
    seen = encoder.see(pictures)
    if seen.classes is None or seen.regional is None:
        raise EncoderError(f"The encoder {encoder.name} has no classes of its own; export it again with its classifier.")
    return seen.classes, nouns().strongest(seen.classes, seen.regional, 1, 0.0).numbers[:, 0]
