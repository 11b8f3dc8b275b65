"""What all runs of the comparison with repeated seeds say together, whichever of them are finished.

Running them is left to `captioner.commands.study`, which they are and what is kept of each to `captioner.experiments.trial_records`.
Whether a difference counts is settled by `RULE`, which was written before any number was there.
"""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from statistics import fmean, stdev
from typing import Any

import numpy as np

from captioner.config import FIRST, REWARD, VARIANTS
from captioner.errors import CheckpointError
from captioner.experiments.trial_records import RECORD, SPLITS, TAKEN, Record, Trial
from captioner.scoring.bootstrap import CONFIDENCE, Difference, percentiles
from captioner.scoring.caption_style import only_one

STUDY = "study.json"
RESAMPLES = 2000
RULE = (
    "Two kinds of word vectors differ when the 95% interval of their difference in test CIDEr leaves out zero; the interval "
    "comes from drawing photographs and seeds again, the same ones for both."
)


def conclude(finished: Sequence[Record], preset: str) -> dict[str, Any]:
    """Everything that the finished runs say together, as plain data; the preset is the study's own."""
    return {
        "preset": preset,
        "rule": RULE,
        "confidence": CONFIDENCE,
        "resamples": RESAMPLES,
        "runs": [record.row for record in finished],
        "summary": summaries(finished),
        "pairs": pairs(finished),
        "changes": changes(finished),
        "own_words": own_words(finished),
        "own_words_by_chance": own_words_by_chance(finished),
    }


def own_words(finished: Sequence[Record], split: str = "test") -> list[dict[str, Any]]:
    """By stage and seed, which words of theirs no other of the three decoders ever uses."""
    used: dict[tuple[str, int], dict[str, Any]] = {}
    for trial, words in _used(finished, split):
        used.setdefault((trial.stage, trial.seed), {})[trial.variant] = words
    whole = {key: words for key, words in sorted(used.items()) if set(words) == set(VARIANTS)}
    return [{"stage": stage, "seed": seed} | only_one(words) for (stage, seed), words in whole.items()]


def own_words_by_chance(finished: Sequence[Record], split: str = "test") -> list[dict[str, Any]]:
    """By stage, how many words a training alone uses among as many of the *same* vectors, which differ by their seeds alone.

    The mean over all choices of so many trainings; what the three variants differ by says something only beyond this.
    """
    used: dict[str, dict[str, list[Any]]] = {}
    for trial, words in _used(finished, split):
        used.setdefault(trial.stage, {}).setdefault(trial.variant, []).append(words)
    found = []
    for stage, by_variant in used.items():
        if set(by_variant) == set(VARIANTS) and min(map(len, by_variant.values())) >= len(VARIANTS):
            found.append({"stage": stage} | {name: _alone(by_variant[name]) for name in VARIANTS})
    return found


def _alone(trainings: Sequence[Mapping[str, int]]) -> float:
    counts = []
    for chosen in itertools.combinations(trainings, len(VARIANTS)):
        found = only_one({str(number): words for number, words in enumerate(chosen)})
        counts += [len(words) for words in found.values()]
    return fmean(counts)


def _used(finished: Sequence[Record], split: str) -> Iterator[tuple[Trial, Mapping[str, int]]]:
    """The words of every training of the three, and how often it used each."""
    for record in finished:
        if record.trial.variant in VARIANTS and not record.trial.apart:
            yield record.trial, record.data[split].get("used", {})


def summaries(finished: Sequence[Record]) -> list[dict[str, Any]]:
    """Mean and standard deviation over seeds of every number, for each stage and variant."""
    return [
        {
            "preset": group[0].trial.preset,
            "stage": group[0].trial.stage,
            "variant": group[0].trial.variant,
            "seeds": [record.trial.seed for record in group],
            **{split: _spread([_numbers(record.row[split]) for record in group]) for split in SPLITS},
            **_spread([{key: record.data[key] for key in TAKEN} for record in group]),
        }
        for group in _groups(finished).values()
    ]


def _groups(finished: Sequence[Record]) -> dict[Trial, list[Record]]:
    """All seeds of what differs in the seed alone, under the trial that it would be with seed 0."""
    groups: dict[Trial, list[Record]] = {}
    for record in finished:
        groups.setdefault(replace(record.trial, seed=0), []).append(record)
    return groups


def _numbers(part: Mapping[str, Any]) -> dict[str, float]:
    """All numbers of a split by one name each, those that stand in tables of their own with the table's name before."""
    flat: dict[str, float] = {}
    for name, value in part.items():
        if isinstance(value, Mapping):
            flat |= {f"{name}_{inner}": number for inner, number in _numbers(value).items()}
        elif value is not None:
            flat[name] = float(value)
    return flat


def _spread(rows: Sequence[Mapping[str, float]]) -> dict[str, dict[str, float]]:
    """Mean and standard deviation of what all of the rows have; one row has no deviation."""
    shared = [name for name in rows[0] if all(name in row for row in rows)]
    values = {name: [float(row[name]) for row in rows] for name in shared}
    return {
        name: {"mean": fmean(column)} | ({"sd": stdev(column)} if len(column) > 1 else {}) for name, column in values.items()
    }


def pairs(finished: Sequence[Record], split: str = "test") -> list[dict[str, Any]]:
    """First minus second in CIDEr over the seeds that both have, by `RULE`.

    Held against each other are every two variants of a stage and preset, and every variant on the two encoders.
    """
    _check_paired(finished, split)
    found = []
    for (one, first), (two, second) in itertools.combinations(_groups(finished).items(), 2):
        seeds = sorted({record.trial.seed for record in first} & {record.trial.seed for record in second})
        alike = one.stage == two.stage and (one.preset == two.preset or one.variant == two.variant)
        if alike and seeds:
            difference = seed_difference(*(_matrix(group, seeds, split) for group in (first, second)))
            counts = len(seeds) > 1 and not difference.low <= 0 <= difference.high
            names = {"stage": one.stage, "first": one.variant, "second": two.variant, "presets": [one.preset, two.preset]}
            found.append(names | {"seeds": seeds, "cider": difference._asdict(), "counts": counts})
    return found


def changes(finished: Sequence[Record]) -> list[dict[str, Any]]:
    """What the second stage changed: means over the seeds that went through both, before it and after."""
    found = []
    for variant in VARIANTS:
        own = [record for record in finished if record.trial.variant == variant and not record.trial.apart]
        before, after = ({one.trial.seed: one for one in own if one.trial.stage == stage} for stage in (FIRST, REWARD))
        seeds = sorted(set(before) & set(after))
        if seeds:
            splits = {split: _moved([before[seed] for seed in seeds], [after[seed] for seed in seeds], split) for split in SPLITS}
            found.append({"variant": variant, "seeds": seeds, **splits})
    return found


def _moved(before: Sequence[Record], after: Sequence[Record], split: str) -> dict[str, dict[str, float]]:
    earlier, later = (_spread([_numbers(record.row[split]) for record in group]) for group in (before, after))
    return {name: {"before": earlier[name]["mean"], "after": later[name]["mean"]} for name in later if name in earlier}


def _check_paired(finished: Sequence[Record], split: str) -> None:
    """Only what was said of the same photographs can be compared photograph by photograph."""
    of = {(record.data[split].get("photographs"), len(record.data[split]["cider"])) for record in finished}
    if len(of) > 1:
        raise CheckpointError(
            f"The runs of this study were scored on different {split} photographs, so they cannot be compared; delete the "
            f"records ({RECORD}) of those that were scored on others, and the study scores them again."
        )


def _matrix(group: Sequence[Record], seeds: Sequence[int], split: str) -> np.ndarray:
    by_seed = {record.trial.seed: record.per_photograph(split) for record in group}
    return np.stack([by_seed[seed] for seed in seeds])  # (seeds, photographs)


def seed_difference(first: np.ndarray, second: np.ndarray, resamples: int = RESAMPLES, seed: int = 0) -> Difference:
    """First minus second, each (seeds, photographs); the interval draws seeds and photographs again, the same for both."""
    apart, random = first - second, np.random.default_rng(seed)
    seeds, photographs = apart.shape
    drawn_seeds = random.multinomial(seeds, np.full(seeds, 1 / seeds), resamples) / seeds  # (resamples, seeds)
    drawn = random.multinomial(photographs, np.full(photographs, 1 / photographs), resamples) / photographs
    means = np.einsum("rs,sp,rp->r", drawn_seeds, apart, drawn, optimize=True)
    return Difference(float(apart.mean()), *percentiles(means, CONFIDENCE))


def best_seed(finished: Sequence[Record], stage: str, variant: str) -> Record:
    """The run that ships: the one whose CIDEr is highest on dev."""
    own = [one for one in finished if (one.trial.stage, one.trial.variant) == (stage, variant) and not one.trial.apart]
    return max(own, key=lambda record: record.metric("dev", "cider"))
