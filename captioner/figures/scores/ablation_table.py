"""What further data sets and word slots bring: the ablation's records as a table, a row for each decoder."""

from collections.abc import Sequence
from dataclasses import replace
from statistics import fmean

from captioner.data.datasets import names_in
from captioner.experiments.plans import ABLATION, Trial
from captioner.experiments.records import Record
from captioner.figures.style import listed, number

_WORDING = {"flawed": "repeats itself or breaks off", "says_twice": "says a word twice"}
Row = dict[str, str]


def rows(records: Sequence[Record]) -> list[Row]:
    """Means over the seeds of each decoder, in the order of the plan; a run that diverged has none."""
    groups: dict[Trial, list[Record]] = {}
    for record in sorted(records, key=lambda one: ABLATION.order[one.trial]):
        if record.gave_up:
            continue
        groups.setdefault(replace(record.trial, seed=1), []).append(record)
    return [_row(group) for group in groups.values()]


def _row(group: Sequence[Record]) -> Row:
    first, settings = group[0], group[0].trial.settings
    sets = names_in(first.data)
    used = sets if settings.training.other_share else sets[:1]
    row = {"trained on": listed(used), "word slots": str(settings.decoder.word_slots or "none"), "vectors": first.title}
    row["seeds"] = str(len(group))
    tests = [split for split in first.scores if split.split()[-1] == "test"]
    for split in tests:
        name = split if " " in split else f"{sets[0]} {split}"
        row[f"{name} CIDEr"] = number(fmean(one.metric(split, "cider") for one in group))
    if named := [one.named for one in group if one.named is not None]:
        row["names the object"] = _share(named)
    wording = [one.scores[split].wording for one in group for split in tests]
    row |= {title: _share([found[name] or 0 for found in wording]) for name, title in _WORDING.items()}
    distinct = [sum(one.scores[split].wording["distinct_captions"] or 0 for split in tests) for one in group]
    return row | {"different captions": f"{fmean(distinct):,.0f}"}


def _share(values: Sequence[float]) -> str:
    return f"{fmean(values):.1%}"
