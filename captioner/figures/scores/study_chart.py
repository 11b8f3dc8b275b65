"""The comparison with repeated seeds as a chart and a table. Knows no Streamlit."""

import altair as alt
import pandas as pd

from captioner.experiments.conclusions import Group, Study
from captioner.figures.scores.scoreboard import TITLES
from captioner.figures.style import FONT, INK, POINT, axis, listed, names_axis, number

_SCORE, _COUNT, _SHARE, _SMALL_SHARE = "{:.3f}", "{:.0f}", "{:.1%}", "{:.2%}"
# By split and name: the title of a column and the format of its mean and standard deviation over the seeds.
COLUMNS = {
    ("test", "cider"): ("test CIDEr", _SCORE),
    ("test", "bleu4"): ("test BLEU-4", _SCORE),
    ("test", "rouge_l"): ("test ROUGE-L", _SCORE),
    ("test", "loss"): ("test loss", _SCORE),
    ("dev", "cider"): ("dev CIDEr", _SCORE),
    ("dev", "bleu4"): ("dev BLEU-4", _SCORE),
    ("dev", "rouge_l"): ("dev ROUGE-L", _SCORE),
    ("dev", "loss"): ("dev loss", _SCORE),
    ("test", "wording_distinct_captions"): ("different captions", _COUNT),
    ("test", "wording_different_words"): ("different words", _COUNT),
    ("test", "wording_flawed"): ("repeats itself or breaks off", _SHARE),
    ("test", "wording_rare"): ("rare words found", _SMALL_SHARE),
    ("test", "wording_rare_5_9"): ("of those seen 5 to 9 times", _SMALL_SHARE),
    ("test", "strangest_cider"): ("CIDEr, strangest fifth", _SCORE),
    ("test", "others_cider"): ("CIDEr, the others", _SCORE),
}
_ROW = 44


def rows(study: Study, stage: str, metric: str) -> pd.DataFrame:
    """A row per run of the stage, with the mean of its group."""
    found = [
        (group.title, f"seed {seed}", value, group.numbers["test"][metric][0])
        for group in study.stage(stage)
        for seed, value in zip(group.seeds, group.runs[metric], strict=True)
    ]
    return pd.DataFrame(found, columns=["who", "seed", "score", "mean"])


def chart(study: Study, stage: str, metric: str) -> alt.LayerChart:
    """A row per variant: every run as a ring, their mean as a tick with its number."""
    table = rows(study, stage, metric)
    groups = study.stage(stage)
    names, colours = [group.title for group in groups], [group.variant.colour for group in groups]
    base = alt.Chart(table.assign(label=table["mean"].map(number))).encode(
        y=alt.Y("who:N", title=None, sort=names, axis=names_axis(grid=True, labelPadding=8)),
        color=alt.Color("who:N", legend=None, scale=alt.Scale(domain=names, range=colours)),
    )
    title = f"{TITLES[metric]} on test, more is better"
    x = alt.X("score:Q", title=title, axis=axis(), scale=alt.Scale(zero=False, padding=24))
    tips = ["who:N", "seed:N", alt.Tooltip("score:Q", format=".3f")]
    rings = base.mark_point(size=POINT, strokeWidth=2.5, filled=False, opacity=1).encode(x=x, tooltip=tips)
    lines = base.mark_tick(thickness=4, size=_ROW * 0.7).encode(x="mean:Q")
    texts = base.mark_text(dy=-_ROW * 0.42, fontSize=FONT, baseline="bottom").encode(
        x="mean:Q", text="label:N", color=alt.value(INK)
    )
    return alt.layer(lines, rings, texts).properties(height=alt.Step(_ROW * 1.4))


def as_table(study: Study, stage: str) -> pd.DataFrame:
    """Mean and standard deviation over the seeds of everything that was measured, as text."""
    rows = {group.title: cells(group) for group in study.stage(stage)}
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("vectors").dropna(axis=1, how="all")


def cells(group: Group) -> dict[str, str]:
    """The table's row of a group."""
    values = {title: (group.numbers[split].get(name), form) for (split, name), (title, form) in _columns(group).items()}
    own = group.numbers["own"]
    minutes = tuple(None if part is None else part / 60 for part in own["seconds"])
    values |= {"epoch kept, of its stage": (own["best_epoch"], "{:.1f}"), "minutes": (minutes, _COUNT)}
    shown = {title: told(*value, form) for title, (value, form) in values.items() if value}
    return {"seeds": str(len(group.seeds))} | shown | {"cores": f"{own['cores'][0]:.2g}"}


def _columns(group: Group) -> dict[tuple[str, str], tuple[str, str]]:
    """The columns, with the CIDEr of further data sets after that on the same split of the first."""
    found = {}
    for (split, name), column in COLUMNS.items():
        same = [key for key in group.numbers if name == "cider" and key.endswith(f" {split}")]
        found |= {(split, name): column} | {(key, name): (f"{key} CIDEr", _SCORE) for key in same}
    return found


def told(mean: float, deviation: float | None, form: str) -> str:
    """
    >>> told(0.56789, 0.0041, "{:.3f}"), told(732.4, 12.0, "{:.0f}"), told(0.112, None, "{:.1%}")
    ('0.568 (0.004)', '732 (12)', '11.2%')
    """
    return form.format(mean) + ("" if deviation is None else f" ({form.format(deviation)})")


def summary(study: Study, stage: str, metric: str) -> str:
    """Alternative text for the chart."""
    facts = [f"{group.title} {listed([number(value) for value in group.runs[metric]])}" for group in study.stage(stage)]
    return f"{TITLES[metric]} on test of every run; " + "; ".join(facts) + "."
