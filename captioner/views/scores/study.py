"""The part of the page of scores that shows the comparison with repeated seeds. Every figure is read from its file."""

from pathlib import Path

import streamlit as st

from captioner.config import STAGES, VARIANTS
from captioner.errors import CheckpointError
from captioner.experiments.conclusions import Study, read_study
from captioner.figures.scores import score_charts
from captioner.figures.scores import study_chart as charts
from captioner.figures.scores.scoreboard import VERDICT_METRIC
from captioner.figures.scores.study_file import gaps
from captioner.views.resources import refuse
from captioner.views.scores import score_cards as cards


def read(folder: Path) -> Study | None:
    """The study of these decoders, if there is one; what is wrong with it is told."""
    try:
        return read_study(folder)
    except CheckpointError as error:
        refuse(error)
        return None


def verdict(study: Study | None, folder: Path) -> str:
    """What all trainings of this stage say of the three; nothing where each was trained but once."""
    return charts.verdict(study, _stage(folder)) if study else ""


def show(study: Study | None, folder: Path) -> None:
    """Draw all trainings of this stage."""
    stage = _stage(folder)
    if study is None or not study.stage(stage):
        return
    st.header("Trained again and again: is it the vectors, or luck?", anchor=False)
    st.html(cards.paragraph(_about(study), "beside"))
    summary = charts.summary(study, stage, VERDICT_METRIC)
    st.altair_chart(charts.chart(study, stage, VERDICT_METRIC), alt=summary)
    with st.expander("Mean and standard deviation of all that was measured"):
        st.dataframe(charts.as_table(study, stage), alt=summary)
    if said := charts.untuned(study, stage):
        st.html(cards.paragraph(said, "beside"))
    if words := charts.own_words(study, stage):
        st.html(cards.paragraph(words, "beside"))
    if found := gaps(study, stage):
        st.subheader("Two kinds of vectors at a time, over all trainings", anchor=False)
        summary = score_charts.gap_summary(found, VERDICT_METRIC)
        st.altair_chart(score_charts.gap_chart(found, VERDICT_METRIC), alt=summary)
    if any(group.on_original_encoder or group.variant.name not in VARIANTS for group in study.stage(stage)):
        st.html(cards.paragraph(charts.controls(study), "beside"))
    if told := charts.encoders(study):  # Of the first stage, but it matters at every one.
        st.html(cards.paragraph(told, "beside"))


def _stage(folder: Path) -> str:
    return folder.name if folder.name in STAGES else next(iter(STAGES))


def _about(study: Study) -> str:
    """What the rings are, the rule, and how far the study has come."""
    left = study.planned - study.finished
    missing = f" {left} of {study.planned} planned trainings are still to come." if left else ""
    return (
        "Each ring is one training from the start, with its own random numbers; equal seeds see the photographs in the same "
        "order. The frozen vectors were trained once and are the same in all of their rings, so the luck of training those is in "
        f"no interval. Ticks are means. The rule, written down before: {study.rule} {charts.ROUGH}{missing}"
    )
