"""The parts of the Scores page about repeated runs: the study of these decoders, the ablation, and the former study."""

from pathlib import Path

import streamlit as st

from captioner.config import STAGES, VARIANTS
from captioner.experiments.conclusions import SIGNIFICANCE_RULE, Study, read_studies
from captioner.experiments.plans import ABLATION, PLANS, SEEDS
from captioner.experiments.records import read_records
from captioner.figures.scores import ablation_table, study_text
from captioner.figures.scores.scoreboard import VERDICT_METRIC
from captioner.views.resources import refusals
from captioner.views.scores.sections import draw, say

_ABOUT = (
    "Each ring is one run from scratch; runs with the same seed see the photographs in the same order. Ticks are means. The "
    "frozen vectors were trained once, so the intervals do not cover the variation between vectors."
)
_FORMER = "{runs} runs of the recipe before this one, trained on Flickr8k alone and without word slots."


def read(folder: Path) -> tuple[Study | None, Study | None]:
    """The study of these decoders and the former one, if there are any; a problem with them is shown."""
    with refusals():
        return (*read_studies(folder), None, None)[:2]
    return None, None


def verdict(study: Study | None, folder: Path) -> str:
    """The verdict over all runs of this stage, if each decoder has several."""
    return study_text.verdict(study, _stage(folder)) if study else ""


def show(study: Study | None, folder: Path) -> None:
    """Draw all runs of this stage."""
    from captioner.figures.scores import score_charts
    from captioner.figures.scores import study_chart as charts

    stage = _stage(folder)
    if study is None or not study.stage(stage):
        return
    st.header("Trained again and again: is it the vectors, or luck?", anchor=False)
    say(_about(study))
    chart, summary = charts.chart(study, stage, VERDICT_METRIC), charts.summary(study, stage, VERDICT_METRIC)
    draw(chart, summary, "Mean and standard deviation of all that was measured", charts.as_table(study, stage))
    say(study_text.untuned(study, stage))
    say(study_text.own_words(study, stage))
    if found := study_text.gaps(study, stage):
        st.subheader("Two kinds of vectors at a time, over all trainings", anchor=False)
        summary = score_charts.gap_summary(found, VERDICT_METRIC)
        st.altair_chart(score_charts.gap_chart(found, VERDICT_METRIC), alt=summary)
    if any(group.on_original_encoder or group.name not in VARIANTS for group in study.stage(stage)):
        say(study_text.controls(study))
    say(study_text.encoders(study))  # Of the first stage, but it matters at every one.


@refusals()
def show_ablation(folder: Path) -> None:
    records = read_records(folder, ABLATION)
    if not records:
        return
    st.header(ablation_table.TITLE, anchor=False)
    about = ablation_table.conditions(records)
    say(about)
    st.dataframe(ablation_table.as_table(records, read_records(folder, PLANS[SEEDS])), alt=about, height="content")


def show_former(study: Study | None, folder: Path) -> None:
    """In short what the runs of the recipe before this one showed."""
    from captioner.figures.scores import study_chart as charts

    stage = _stage(folder)
    if study is None or not study.stage(stage):
        return
    st.header("The study on Flickr8k alone", anchor=False)
    say(f"{_FORMER.format(runs=study.finished)} {study_text.verdict(study, stage)}")
    say(study_text.controls(study))
    say(study_text.encoders(study))
    with st.expander("All that was measured on Flickr8k alone"):
        st.dataframe(charts.as_table(study, stage), alt=study_text.verdict(study, stage))


def _stage(folder: Path) -> str:
    return folder.name if folder.name in STAGES else next(iter(STAGES))


def _about(study: Study) -> str:
    left = study.planned - study.finished
    missing = f" {left} of {study.planned} planned runs are missing." if left else ""
    return f"{_ABOUT} The rule, written before any result: {SIGNIFICANCE_RULE} {study_text.CAVEAT}{missing}"
