"""The comparison with repeated seeds as sentences, a chart and a table; its file is read by `study_file`. Knows no Streamlit."""

from collections import Counter
from collections.abc import Sequence, Set
from typing import TYPE_CHECKING

from captioner.config import CONTROLS, VARIANTS
from captioner.experiments.conclusions import Group, Study
from captioner.experiments.plans import CHOSEN_WITH
from captioner.figures.scores.scoreboard import TITLES, VERDICT_METRIC
from captioner.figures.scores.study_file import gap, gaps
from captioner.figures.scores.verdict import Gap
from captioner.figures.style import FONT, INK, POINT, axis, listed, names_axis, number

if TYPE_CHECKING:
    import altair as alt
    import pandas as pd

_SCORE, _COUNT, _SHARE, _SMALL_SHARE = "{:.3f}", "{:.0f}", "{:.1%}", "{:.2%}"
# What a reader is shown of every stage and variant, and in which form, mean and standard deviation over the seeds.
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
ROUGH = (
    "From so few trainings an interval is rough: too wide where they differ from photograph to photograph only, too narrow where "
    "a whole training is lucky."
)
_ONE_ENCODER = (
    "Each captions with the search that was chosen for it on dev. The encoder was adapted once, so these intervals know nothing "
    "of how another such training would have turned out; the stage of reward was not run on the CNN as it comes."
)
_SHOWN = 5  # So many words are given as examples.
_ROW = 44


def verdict(study: Study, stage: str) -> str:
    """Which word vectors caption better, over the seeds that all have, by the rule; nothing before each was trained twice."""
    groups = [group for group in study.stage(stage) if group.variant.name in VARIANTS and not group.on_original_encoder]
    seeds = set.intersection(*(set(group.seeds) for group in groups)) if len(groups) == len(VARIANTS) else set()
    if len(seeds) < 2:
        return ""
    means = listed([f"{group.title} {number(_mean_over(group, seeds))}" for group in groups])
    opening = f"Mean test CIDEr over {len(seeds)} trainings of each: {means}."
    proven = [gap for gap in gaps(study, stage) if gap.significant]
    told = [f"{gap.better} is better than {gap.worse} by {gap}." for gap in proven]
    told = told or ["No two of them differ beyond what chance explains."]
    return " ".join([opening, *told, _hidden(gaps(study, stage))])


def untuned(study: Study, stage: str) -> str:
    """The same means without the seed that the settings were chosen with, to whose advantage they may be."""
    groups = [group for group in study.stage(stage) if group.variant.name in VARIANTS and not group.on_original_encoder]
    seeds = set.intersection(*(set(group.seeds) for group in groups)) - {CHOSEN_WITH} if groups else set()
    if not seeds or not all(CHOSEN_WITH in group.seeds for group in groups):
        return ""
    means = listed([f"{group.title} {number(_mean_over(group, seeds))}" for group in groups])
    return f"Without seed {CHOSEN_WITH}, with which the settings were chosen: {means}."


def _mean_over(group: Group, seeds: Set[int]) -> float:
    values = [value for seed, value in zip(group.seeds, group.runs[VERDICT_METRIC], strict=True) if seed in seeds]
    return sum(values) / len(values)


def controls(study: Study) -> str:
    """What the decoders say that the three are held against."""
    against = [pair for pair in study.pairs if len({name in CONTROLS for name, _ in pair.groups}) == 2 and pair.seeds > 1]
    if not against:
        return ""
    groups = [group for group in study.groups if group.variant.name in CONTROLS and not group.on_original_encoder]
    means = listed([f"{group.title} {number(group.numbers['test'][VERDICT_METRIC][0])}" for group in groups])
    found = [gap(pair) for pair in against]
    said = [f"{one.better} above {one.worse} by {one}" for one in found if one.significant]
    told = f"Beyond chance: {listed(said)}." if said else "None of these differs from the three beyond chance."
    fewest = min(pair.seeds for pair in against)
    return (
        f"What they are held against, mean test CIDEr: {means}. {told} {len(against)} pairs were compared over {fewest} "
        f"trainings each, so one or another may stand out by chance alone. {_hidden(found)}"
    )


def _hidden(gaps: Sequence[Gap]) -> str:
    """What the widest interval hides."""
    hidden = max((gap.high - gap.low) / 2 for gap in gaps)
    return f"A difference of less than about {number(hidden)} would not have shown."


def own_words(study: Study, stage: str) -> str:
    """How many words only one of the three ever uses, and which those are that it alone uses in training after training."""
    rows = study.own_words[stage]
    if not rows:
        return ""
    told = []
    for name, variant in VARIANTS.items():
        seeds = Counter(word for row in rows for word in row[name])
        often = [word for word, times in seeds.most_common(_SHOWN) if times > len(rows) / 2]
        examples = f" (in most of them {listed(often)})" if often else ""
        told.append(f"{variant.title} {seeds.total() / len(rows):.0f}{examples}")
    trainings = "one training of each" if len(rows) == 1 else f"{len(rows)} trainings of each"
    said = f"Words that only one of the three ever uses for the test photographs, mean over {trainings}: {listed(told)}."
    if chance := study.own_words_by_chance.get(stage):
        luck = listed([f"{variant.title} {chance[name]:.0f}" for name, variant in VARIANTS.items()])
        said += f" Among three trainings of the same vectors, which only luck tells apart, one has to itself: {luck}."
    return said


def encoders(study: Study) -> str:
    """What training the encoder on changed for the same decoders."""
    found = [gap(pair) for pair in study.pairs if pair.groups[0][0] == pair.groups[1][0] and pair.seeds > 1]
    if not found:
        return ""
    proven = [f"{one.better} is ahead of {one.worse} by {one}" for one in found if one.significant]
    open_ones = [one.better.partition(",")[0] for one in found if not one.significant]
    opening = "The adapted encoder against the CNN as it comes, after the first stage and over the same seeds:"
    told = [opening, f"{'; '.join(proven)}." if proven else ""]
    told.append(f"For {listed(open_ones)} the difference can be chance." if open_ones else "")
    return " ".join(filter(None, [*told, _hidden(found), _ONE_ENCODER]))


def rows(study: Study, stage: str, metric: str) -> "pd.DataFrame":
    """A row per run of the stage, and what its group's mean is."""
    import pandas as pd

    found = [
        (group.title, f"seed {seed}", value, group.numbers["test"][metric][0])
        for group in study.stage(stage)
        for seed, value in zip(group.seeds, group.runs[metric], strict=True)
    ]
    return pd.DataFrame(found, columns=["who", "seed", "score", "mean"])


def chart(study: Study, stage: str, metric: str) -> "alt.LayerChart":
    """A row per variant: every training as a ring, their mean as a line with its number."""
    import altair as alt

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


def as_table(study: Study, stage: str) -> "pd.DataFrame":
    """Mean and standard deviation over seeds of all that was measured, as texts."""
    import pandas as pd

    rows = {group.title: cells(group) for group in study.stage(stage)}
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("vectors").dropna(axis=1, how="all")


def cells(group: Group) -> dict[str, str]:
    """The same of one group."""
    values = {title: (group.numbers[split].get(name), form) for (split, name), (title, form) in COLUMNS.items()}
    own = group.numbers["own"]
    minutes = tuple(None if part is None else part / 60 for part in own["seconds"])
    values |= {"epoch kept, of its stage": (own["best_epoch"], "{:.1f}"), "minutes": (minutes, _COUNT)}
    shown = {title: told(*value, form) for title, (value, form) in values.items() if value}
    return {"seeds": str(len(group.seeds))} | shown | {"cores": f"{own['cores'][0]:.2g}"}


def told(mean: float, deviation: float | None, form: str) -> str:
    """
    >>> told(0.56789, 0.0041, "{:.3f}"), told(732.4, 12.0, "{:.0f}"), told(0.112, None, "{:.1%}")
    ('0.568 (0.004)', '732 (12)', '11.2%')
    """
    return form.format(mean) + ("" if deviation is None else f" ({form.format(deviation)})")


def summary(study: Study, stage: str, metric: str) -> str:
    """The chart in words, for who cannot see it."""
    facts = [
        f"{group.title} {listed([number(value) for value in group.runs[metric]])}" for group in study.stage(stage)
    ]
    return f"{TITLES[metric]} on test of every training; " + "; ".join(facts) + "."
