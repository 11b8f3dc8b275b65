"""The comparison with repeated seeds: what its file says, as sentences, a chart and a table. Knows no Streamlit."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from captioner.comparison import finite
from captioner.config import CONTROLS, STAGES, VARIANTS, Variant, find_variant
from captioner.errors import CheckpointError, ConfigError
from captioner.figures.score_charts import axis
from captioner.figures.scoreboard import TITLES, VERDICT_METRIC
from captioner.figures.verdict import Gap, listed, number
from captioner.folders import read_json
from captioner.study import STUDY

if TYPE_CHECKING:
    import altair as alt
    import pandas as pd

# What a reader is shown of every stage and variant, mean and standard deviation over the seeds.
COLUMNS = {
    ("test", "cider"): "test CIDEr",
    ("test", "bleu4"): "test BLEU-4",
    ("test", "rouge_l"): "test ROUGE-L",
    ("test", "loss"): "test loss",
    ("dev", "cider"): "dev CIDEr",
    ("test", "wording_distinct_captions"): "different captions",
    ("test", "wording_different_words"): "different words",
    ("test", "wording_flawed"): "flawed captions",
    ("test", "wording_rare"): "rare words found",
    ("test", "strangest_cider"): "CIDEr, strangest fifth",
}
_OWN = {"best_epoch": "best epoch", "seconds": "minutes"}
_INK = "currentColor"  # The colour of the text around the chart, whatever the theme.
_ROW, _FONT, _POINT = 44, 14, 90


@dataclass(frozen=True)
class Group:
    """All seeds of a variant in one stage."""

    stage: str
    variant: Variant
    seeds: tuple[int, ...]
    numbers: Mapping[str, Mapping[str, tuple[float, float | None]]]  # by split, then name: mean and standard deviation
    runs: Mapping[str, tuple[float, ...]]  # by metric, a value per seed on test


@dataclass(frozen=True)
class Study:
    """The file as the page uses it."""

    rule: str
    planned: int
    finished: int
    groups: tuple[Group, ...]
    pairs: tuple[tuple[str, str, str, Gap], ...]  # stage, first and second variant, and how they differ

    def stage(self, stage: str) -> list[Group]:
        return [group for group in self.groups if group.stage == stage]

    def gaps(self, stage: str, names: Sequence[str] = tuple(VARIANTS)) -> list[Gap]:
        """The differences between these variants in a stage."""
        return [gap for own, *pair, gap in self.pairs if own == stage and set(pair) <= set(names)]


def read_study(folder: Path) -> Study | None:
    """The study of a folder of decoders, or of the folder that holds its stages; None where there is none."""
    path = next((place / STUDY for place in (folder, folder.parent) if (place / STUDY).is_file()), None)
    if path is None:
        return None
    try:
        return _parsed(read_json(path))
    except (LookupError, TypeError, ValueError, AttributeError, ConfigError) as error:
        raise CheckpointError(f"The file {STUDY} is damaged; run python -m captioner study, which makes it anew.") from error


def _parsed(data: Mapping[str, Any]) -> Study:
    groups = tuple(_group(row, data["runs"]) for row in data["summary"])
    pairs = tuple((pair["stage"], pair["first"], pair["second"], _gap(pair)) for pair in data["pairs"])
    planned, finished = int(data["planned"]), len(data["runs"])
    if not groups or any(group.stage not in STAGES for group in groups) or planned < finished:
        raise ValueError
    return Study(str(data["rule"]), planned, finished, groups, pairs)


def _group(row: Mapping[str, Any], runs: Sequence[Mapping[str, Any]]) -> Group:
    own = [run for run in runs if (run["stage"], run["variant"]) == (row["stage"], row["variant"])]
    numbers = {split: {name: _spread(value) for name, value in row[split].items()} for split in ("dev", "test")}
    numbers["own"] = {name: _spread(row[name]) for name in _OWN}
    values = {metric: tuple(finite(run["test"][metric]) for run in own) for metric in TITLES if metric in own[0]["test"]}
    group = Group(row["stage"], find_variant(row["variant"]), tuple(map(int, row["seeds"])), numbers, values)
    if group.seeds != tuple(run["seed"] for run in own) or not {VERDICT_METRIC, *values} <= set(numbers["test"]):
        raise ValueError
    return group


def _spread(value: Mapping[str, Any]) -> tuple[float, float | None]:
    return finite(value["mean"]), finite(value["sd"]) if "sd" in value else None


def _gap(pair: Mapping[str, Any]) -> Gap:
    titles = [find_variant(pair[name]).title for name in ("first", "second")]
    value, low, high = (finite(pair["cider"][name]) for name in ("value", "low", "high"))
    return Gap(*titles, value, low, high) if value >= 0 else Gap(*reversed(titles), -value, -high, -low)


def verdict(study: Study, stage: str) -> str:
    """Which word vectors caption better over all seeds of a stage, by the rule, and which differences can be chance."""
    groups = [group for group in study.stage(stage) if group.variant.name in VARIANTS]
    if not groups:
        return ""
    means = listed([f"{group.variant.title} {number(group.numbers['test'][VERDICT_METRIC][0])}" for group in groups])
    seeds = min(len(group.seeds) for group in groups)
    opening = f"Mean test CIDEr over {seeds} training{'s' * (seeds > 1)} of each: {means}."
    proven = [gap for gap in study.gaps(stage) if gap.proven]
    if not proven:
        return f"{opening} No two of them differ beyond what chance explains."
    return f"{opening} " + " ".join(f"{gap.better} is better than {gap.worse} by {gap}." for gap in proven)


def controls(study: Study) -> str:
    """What the decoders say that the three are held against."""
    said = []
    for gap in (gap for _, *pair, gap in study.pairs if set(pair) & set(CONTROLS) and set(pair) & set(VARIANTS)):
        if gap.proven:
            said.append(f"{gap.better} above {gap.worse} by {gap}")
    if not any(group.variant.name in CONTROLS for group in study.groups):
        return ""
    return f"Beyond chance: {listed(said)}." if said else "Nothing that they are held against differs from them beyond chance."


def rows(study: Study, stage: str, metric: str) -> "pd.DataFrame":
    """A row per run of the stage, and what its group's mean is."""
    import pandas as pd

    found = [
        (group.variant.title, f"seed {seed}", value, group.numbers["test"][metric][0])
        for group in study.stage(stage)
        for seed, value in zip(group.seeds, group.runs[metric], strict=True)
    ]
    return pd.DataFrame(found, columns=["who", "seed", "score", "mean"])


def chart(study: Study, stage: str, metric: str) -> "alt.LayerChart":
    """A row per variant: every training as a ring, their mean as a line with its number."""
    import altair as alt

    table = rows(study, stage, metric)
    variants = [group.variant for group in study.stage(stage)]
    names, colours = [one.title for one in variants], [one.colour for one in variants]
    labels = alt.Axis(labelLimit=0, ticks=False, domain=False, grid=True, labelPadding=8, labelFontSize=_FONT, labelColor=_INK)
    base = alt.Chart(table.assign(label=table["mean"].map(number))).encode(
        y=alt.Y("who:N", title=None, sort=names, axis=labels),
        color=alt.Color("who:N", legend=None, scale=alt.Scale(domain=names, range=colours)),
    )
    title = f"{TITLES[metric]} on test, more is better"
    x = alt.X("score:Q", title=title, axis=axis(), scale=alt.Scale(zero=False, padding=24))
    tips = ["who:N", "seed:N", alt.Tooltip("score:Q", format=".3f")]
    rings = base.mark_point(size=_POINT, strokeWidth=2.5, filled=False, opacity=1).encode(x=x, tooltip=tips)
    lines = base.mark_tick(thickness=4, size=_ROW * 0.7).encode(x="mean:Q")
    texts = base.mark_text(dy=-_ROW * 0.42, fontSize=_FONT, baseline="bottom").encode(
        x="mean:Q", text="label:N", color=alt.value(_INK)
    )
    return alt.layer(lines, rings, texts).properties(height=alt.Step(_ROW * 1.4))


def as_table(study: Study, stage: str) -> "pd.DataFrame":
    """Mean and standard deviation over seeds of all that was measured, as texts."""
    import pandas as pd

    cells = {group.variant.title: {"seeds": str(len(group.seeds))} | _cells(group) for group in study.stage(stage)}
    return pd.DataFrame.from_dict(cells, orient="index").rename_axis("vectors").dropna(axis=1, how="all")


def _cells(group: Group) -> dict[str, str]:
    shown = {title: group.numbers[split].get(name) for (split, name), title in COLUMNS.items()}
    minutes = tuple(None if part is None else part / 60 for part in group.numbers["own"]["seconds"])
    shown |= {"best epoch": group.numbers["own"]["best_epoch"], "minutes": minutes}
    return {title: told(*value) for title, value in shown.items() if value}


def told(mean: float, deviation: float | None) -> str:
    """
    >>> told(0.56789, 0.0041), told(732.4, 12.0), told(0.5, None)
    ('0.568 (0.004)', '732 (12)', '0.500')
    """
    shape = ".3f" if abs(mean) < 10 else ".0f"
    return f"{mean:{shape}}" + ("" if deviation is None else f" ({deviation:{shape}})")


def summary(study: Study, stage: str, metric: str) -> str:
    """The chart in words, for who cannot see it."""
    facts = [
        f"{group.variant.title} {listed([number(value) for value in group.runs[metric]])}" for group in study.stage(stage)
    ]
    return f"{TITLES[metric]} on test of every training; " + "; ".join(facts) + "."
