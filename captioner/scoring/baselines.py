"""What a score can be held against: people scored as if they were decoders, and one sentence said of every photograph.

Both go through the same scorer as the decoders. What the decoders themselves scored is left to `captioner.scoring.evaluation`.
"""

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from captioner.data.datasets import Record
from captioner.scoring.bootstrap import mean_interval
from captioner.scoring.metrics import CIDER, Scorer, Scores
from captioner.vocabulary import tokenize

CANDIDATES = 200  # training captions that more than one person wrote; Flickr8k has 156 of them
JUDGES = 1000  # training photographs


class Fold(NamedTuple):
    """One caption of each photograph, taken away from it, and a scorer that holds captions against the others."""

    captions: list[str]
    scorer: Scorer


class Yardstick(NamedTuple):
    """The metrics of somebody or something, and the 95% intervals of those that have one."""

    metrics: dict[str, float]
    intervals: dict[str, tuple[float, float]]


def folds(records: Sequence[Record]) -> list[Fold]:
    """The first caption of every photograph against its others, the second against its others, and so on.

    As many folds as every photograph has captions; none where a photograph has only one, which leaves nothing to hold it to.
    """
    fewest = min(len(record.captions) for record in records)
    return [
        Fold(
            [record.captions[place] for record in records],
            Scorer([record.captions[:place] + record.captions[place + 1 :] for record in records]),
        )
        for place in range(fewest if fewest > 1 else 0)
    ]


def mean_score(several: Sequence[Scores]) -> Yardstick:
    """The mean over several scores of the same photographs, whose interval draws the same photographs for all of them."""
    metrics = {name: float(np.mean([scores.metrics[name] for scores in several])) for name in several[0].metrics}
    return Yardstick(metrics, mean_interval(several))


def people(sides: Sequence[Fold]) -> Yardstick:
    """People against people: each caption held against the other captions of its photograph."""
    return mean_score([fold.scorer.score(fold.captions) for fold in sides])


def against_fewer(captions: Sequence[str], sides: Sequence[Fold]) -> Yardstick:
    """A decoder held against as few captions as people are, so that the two can be compared."""
    return mean_score([fold.scorer.score(captions) for fold in sides])


def constant_caption(training: Sequence[Record]) -> str:
    """The one sentence that suits training photographs best, of those that people wrote most often; measured by CIDEr.

    It is chosen without a look at the photographs that it will be scored on.
    """
    counts = Counter(" ".join(tokenize(caption)) for record in training for caption in record.captions)
    ranked = sorted(counts, key=lambda text: (-counts[text], text))
    candidates = [text for text in ranked[:CANDIDATES] if counts[text] > 1] or ranked[:CANDIDATES]
    judges = Scorer([record.captions for record in training[:: -(-len(training) // JUDGES)]])
    return max(candidates, key=lambda text: judges.table([text] * len(judges))[:, CIDER].mean())
