"""Baselines: people scored like decoders, and one constant caption for every photograph.

Both go through the decoders' scorer; `captioner.scoring.evaluation` scores the decoders themselves.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from captioner.data.datasets import Record
from captioner.scoring.bootstrap import Interval, mean_interval
from captioner.scoring.metrics import CIDER, Scorer, Scores
from captioner.vocabulary import tokenize

CANDIDATES = 200  # training captions that more than one person wrote; Flickr8k has 156
JUDGES = 1000  # training photographs


class Fold(NamedTuple):
    """One caption of each photograph, and a scorer with the remaining captions as references."""

    captions: list[str]
    scorer: Scorer


@dataclass(frozen=True)
class ScoreSummary:
    """Metrics, and 95% intervals for those that have one."""

    metrics: Mapping[str, float]
    intervals: Mapping[str, Interval]


def folds(records: Sequence[Record]) -> list[Fold]:
    """Each photograph's first caption against the others, then the second, up to the fewest captions of any photograph.

    Empty if a photograph has only one caption, which leaves no references.
    """
    fewest = min(len(record.captions) for record in records)
    return [
        Fold(
            [record.captions[place] for record in records],
            Scorer([record.captions[:place] + record.captions[place + 1 :] for record in records]),
        )
        for place in range(fewest if fewest > 1 else 0)
    ]


def mean_score(several: Sequence[Scores]) -> ScoreSummary:
    """The mean over several scores of the same photographs; the interval resamples the same photographs for all."""
    metrics = {name: float(np.mean([scores.metrics[name] for scores in several])) for name in several[0].metrics}
    return ScoreSummary(metrics, mean_interval(several))


def people(sides: Sequence[Fold]) -> ScoreSummary:
    """People against people: each caption against the other captions of its photograph."""
    return mean_score([fold.scorer.score(fold.captions) for fold in sides])


def against_fewer(captions: Sequence[str], sides: Sequence[Fold]) -> ScoreSummary:
    """A decoder scored against as few references as people are, for a fair comparison."""
    return mean_score([fold.scorer.score(captions) for fold in sides])


def constant_caption(training: Sequence[Record]) -> str:
    """The frequent training caption with the highest CIDEr on training photographs; no scored photograph is used."""
    counts = Counter(" ".join(tokenize(caption)) for record in training for caption in record.captions)
    ranked = sorted(counts, key=lambda text: (-counts[text], text))
    candidates = [text for text in ranked[:CANDIDATES] if counts[text] > 1] or ranked[:CANDIDATES]
    judges = Scorer([record.captions for record in training[:: -(-len(training) // JUDGES)]])
    return max(candidates, key=lambda text: judges.table([text] * len(judges))[:, CIDER].mean())
