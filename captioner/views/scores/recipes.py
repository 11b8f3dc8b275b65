"""The part of the Scores page about older recipes: a table of them, and an open question."""

from pathlib import Path

import streamlit as st

from captioner.experiments.conclusions import Study
from captioner.experiments.plans import RECIPES
from captioner.experiments.records import Record, read_records
from captioner.views.resources import refusals
from captioner.views.scores import score_cards as cards
from captioner.views.scores.sections import say


@refusals()
def show(folder: Path, study: Study | None) -> None:
    st.header("Where it comes from: older recipes on the same photographs", anchor=False)
    records = read_records(folder, RECIPES)
    _show_table(records, study)
    _show_question(records)


def _show_table(records: list[Record], study: Study | None) -> None:
    from captioner.figures.recipes import recipe_table, recipe_text

    notes = recipe_text.sentences(records, study) or [recipe_text.NONE_YET]
    with st.expander("The recipes in a line each"):
        st.html(cards.terms(recipe_table.recipes()))
    if recipe_table.table_records(records):
        st.altair_chart(recipe_table.chart(records), alt=recipe_table.summary(records))
        say(recipe_table.MARKS)
        with st.expander("The whole table: all scores on dev and test, parameters, times"):
            st.dataframe(recipe_table.as_table(records), alt=" ".join(notes), height="content")
    for text in notes:
        say(text)


def _show_question(records: list[Record]) -> None:
    from captioner.figures.recipes import dimensions_question, question_charts

    found = dimensions_question.runs(records)
    st.header(dimensions_question.title(found), anchor=False)
    for text in dimensions_question.sentences(records):
        say(text)
    if len(found):
        summary = question_charts.summary(found)
        st.altair_chart(question_charts.end_chart(found), alt=summary)
        say(question_charts.POINTS)
        with st.expander("All curves, and all trainings of the question as a table"):
            st.altair_chart(question_charts.chart(found), alt=summary)
            st.dataframe(dimensions_question.as_table(found), alt=summary, height="content")
