"""What further data sets and word slots bring: the ablation's records as a table, a row for each decoder."""

from collections.abc import Sequence
from dataclasses import replace
from statistics import fmean
from typing import TYPE_CHECKING

from captioner.data.datasets import names_in
from captioner.experiments.plans import ABLATION, Trial
from captioner.experiments.records import Record
from captioner.figures.style import listed, number

if TYPE_CHECKING:
    import pandas as pd

TITLE = "What word slots and further data sets bring"
_CONDITIONS = (
    "Shortened recipe: the first stage alone, {epochs} epochs on whole photographs. The shares of captions are means over the "
    "test sets; different captions are counted over all of them."
)
_WORDING = {"flawed": "repeats itself or breaks off", "says_twice": "says a word twice"}
Row = dict[str, str]


def rows(records: Sequence[Record], shipped: Sequence[Record] = ()) -> list[Row]:
    """Means over the seeds of each decoder: in the order of the plan, then of the recipe that ships; not of diverged runs."""
    groups: dict[Trial, list[Record]] = {}
    for record in (*sorted(records, key=lambda one: ABLATION.order[one.trial]), *shipped):
        if not record.gave_up:
            groups.setdefault(replace(record.trial, seed=1), []).append(record)
    return [_row(group) for group in groups.values()]


def as_table(records: Sequence[Record], shipped: Sequence[Record]) -> "pd.DataFrame":
    import pandas as pd

    return pd.DataFrame(rows(records, shipped)).fillna("").set_index("recipe")


def conditions(records: Sequence[Record]) -> str:
    """How the runs of the plan were trained."""
    return _CONDITIONS.format(epochs=records[0].trial.settings.training.epochs)


def _row(group: Sequence[Record]) -> Row:
    first, settings = group[0], group[0].trial.settings
    sets = names_in(first.data)
    used = sets if settings.training.other_share else sets[:1]
    planned = first.trial in ABLATION.order
    row = {"recipe": "shortened" if planned else f"shipped, {first.stage}"}
    row |= {"trained on": listed(used), "word slots": str(settings.decoder.word_slots or "none"), "vectors": first.title}
    row["seeds"] = str(len(group))
    tests = [split for split in first.scores if split.split()[-1] == "test"]
    for split in tests:
        name = split if " " in split else f"{sets[0]} {split}"
        row[f"{name} CIDEr"] = number(fmean(one.metric(split, "cider") for one in group))
    if named := [one.named for one in group if one.named is not None]:
        row["names the object"] = _share(named)
    wording = [one.scores[split].wording for one in group for split in tests]
    measured = {name: title for name, title in _WORDING.items() if all(name in found for found in wording)}
    row |= {title: _share([found[name] or 0 for found in wording]) for name, title in measured.items()}
    distinct = [sum(one.scores[split].wording["distinct_captions"] or 0 for split in tests) for one in group]
    return row | {"different captions": f"{fmean(distinct):,.0f}"}


def _share(values: Sequence[float]) -> str:
    return f"{fmean(values):.1%}"
