"""The words that only one of the three decoders uses in its test captions, and how many chance alone gives."""

import itertools
from collections.abc import Mapping, Sequence
from statistics import fmean

from captioner.config import STAGES, VARIANTS
from captioner.experiments.records import Record
from captioner.scoring.caption_style import unique_words

Words = dict[str, dict[str, int]]  # by variant


def own_words(own: Sequence[Record]) -> dict[str, tuple[Words, ...]]:
    """By stage, for each seed: the test captions' words that no other of the three decoders ever uses."""
    found = {}
    for stage in STAGES:
        used = _used(own, stage)
        seeds = sorted(set.intersection(*map(set, used.values())))
        found[stage] = tuple(unique_words({name: words[seed] for name, words in used.items()}) for seed in seeds)
    return found


def own_words_by_chance(own: Sequence[Record]) -> dict[str, dict[str, float]]:
    """The same count among three seeds of *one* variant, mean over all choices of three: what chance alone gives."""
    used = {stage: _used(own, stage) for stage in STAGES}
    enough = {stage: rows for stage, rows in used.items() if min(map(len, rows.values())) >= len(VARIANTS)}
    return {stage: {name: _alone(list(words.values())) for name, words in rows.items()} for stage, rows in enough.items()}


def _alone(runs: Sequence[Mapping[str, int]]) -> float:
    threes = ({str(number): words for number, words in enumerate(three)} for three in itertools.combinations(runs, 3))
    return fmean(len(words) for three in threes for words in unique_words(three).values())


def _used(own: Sequence[Record], stage: str) -> dict[str, dict[int, dict[str, int]]]:
    """By variant and seed: how often each word occurs in the test captions."""
    found: dict[str, dict[int, dict[str, int]]] = {name: {} for name in VARIANTS}
    for record in own:
        if record.stage == stage and record.variant in VARIANTS:
            found[record.variant][record.seed] = record.scores["test"].used
    return found
