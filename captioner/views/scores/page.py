"""The Scores page: the verdict, then its evidence; every figure is read from a file."""

from pathlib import Path

import streamlit as st

from captioner.config import REWARD, SHIPPED, STAGES, Variant, find_variant
from captioner.errors import CheckpointError
from captioner.experiments.conclusions import Study
from captioner.figures.decoder.settings_in_words import Facts, read_facts
from captioner.figures.scores import novelty_text
from captioner.figures.scores.published import PUBLISHED, PUBLISHED_ON, in_short
from captioner.figures.scores.scoreboard import SPLITS, TITLES, Board, read_beams, read_board
from captioner.figures.scores.stage_changes import Change, Measured, changes, studied
from captioner.figures.scores.verdict import by_other_metrics, gaps, training_runs, verdict
from captioner.figures.style import listed, number
from captioner.scoring.comparison import PEOPLE
from captioner.scoring.novelty_curve import load_curve
from captioner.views import stages
from captioner.views.resources import choose_one, open_page, refusals, refuse
from captioner.views.scores import recipes, study
from captioner.views.scores import score_cards as cards
from captioner.views.scores.sections import draw, say

_SPLIT = "The settings were chosen on dev and nothing on test, so test is the fair report."
_METRIC = "What the two charts below show. The verdict above is by CIDEr: it tells fitting captions from commonplaces best."


Changes = tuple[dict[str, list[Change]], list[Variant], str]  # by figure and decoder; the decoders; the caption


def show() -> None:
    open_page("How well the three decoders caption", "scores/scores.css")
    with st.container(horizontal=True, gap="large"):
        folder = stages.choose()
        split = choose_one("Photographs", SPLITS, key="split", help=_SPLIT)
    board, problems = read_board(folder, split)
    trainings, former = study.read(folder)
    over_all = study.verdict(trainings, folder)
    say(over_all, "verdict")
    if board:
        _show_board(board, folder, problems, trainings)
    else:
        say(f"No decoder has been scored on the {split} photographs yet.", "verdict")
        _refuse(problems)
    study.show(trainings, folder)
    study.show_ablation(folder)
    study.show_former(former, folder)
    _show_beams(folder)
    _show_gauge(folder)
    if board is None or board.data == PUBLISHED_ON[0]:
        _show_published()
    recipes.show(folder, former or trainings)
    st.header("What the figures mean", anchor=False)
    with st.expander("Every figure in one line"):
        st.html(cards.glossary())
    place = f"{folder.parent.name}/{folder.name}" if stages.beside(folder) else folder.name
    origin = f"The decoders’ figures are read from the files in {place}/ that training and evaluation wrote"
    st.caption(f"{origin}; so are the README’s." if folder.resolve().is_relative_to(SHIPPED) else f"{origin}.")


def _show_board(board: Board, folder: Path, problems: list[CheckpointError], trainings: Study | None) -> None:
    facts, more = _read_all_facts(board, folder)
    problems = [*problems, *more]
    _show_verdict(board, folder, [one.history.seed for one in facts.values() if one.history], study.verdict(trainings, folder))
    _refuse(problems)
    st.html(cards.score_table(board, facts))
    _show_changes(trainings, folder, board.split)
    _show_scores(board)
    if board.comparison:
        _show_wording(board)


def _read_all_facts(board: Board, folder: Path) -> tuple[dict[str, Facts], list[CheckpointError]]:
    """By decoder, and an error for every file that cannot be read."""
    found = {entry.variant.name: read_facts(folder / entry.variant.name) for entry in board.entries}
    return {name: facts for name, (facts, _) in found.items()}, [problem for _, more in found.values() for problem in more]


def _show_changes(trainings: Study | None, folder: Path, split: str) -> None:
    """The stages side by side; problems with a stage are shown where that stage is chosen."""
    found, variants, of = _studied_changes(trainings, folder, split) or _measured_changes(folder, split)
    if found:
        st.header("What the second stage changed", anchor=False)
        say(f"{STAGES[REWARD].explanation} What was not rewarded may suffer: variety, and the loss.")
        st.html(cards.change_table(found, variants, of))


def _studied_changes(trainings: Study | None, folder: Path, split: str) -> Changes | None:
    """Means over all seeds that went through both stages, if there is a study."""
    changed = studied(trainings, split) if trainings and stages.beside(folder) else {}
    if not changed:
        return None
    several = {len(moves.seeds) for moves in trainings.moves.values()}
    which = f"the {several.pop()}" if len(several) == 1 else "all"
    of = f"Means over {which} trainings of each that went through both stages, {split} photographs"
    return changed, [find_variant(name) for name in trainings.moves], of


def _measured_changes(folder: Path, split: str) -> Changes:
    measured = []
    for place in stages.beside(folder):
        board, _ = read_board(place, split)
        if board:
            measured.append(Measured(board, _read_all_facts(board, place)[0]))
    if len(measured) < 2:
        return {}, [], ""
    board = measured[-1].board
    of = f"On the same {board.images:,} {split} photographs"
    return changes(measured[0], measured[-1]), [entry.variant for entry in board.entries], of


def _show_verdict(board: Board, folder: Path, seeds: list[int], over_all: str) -> None:
    """The verdict on these decoders; beside one over many runs it is a note."""
    other, _ = read_board(folder, next(name for name in SPLITS if name != board.split))
    beside = [verdict(other) if other and other.comparison else "", by_other_metrics(board)]
    if over_all:
        beside.insert(0, f"This site uses each method’s best run on dev. {verdict(board)}")
    else:
        say(verdict(board), "verdict")
        beside.append(training_runs(seeds) if seeds else "")
    st.html("".join(cards.paragraph(text, "beside") for text in beside))


def _show_scores(board: Board) -> None:
    from captioner.figures.scores import score_charts as charts

    st.header("How sure is that?", anchor=False)
    metric = choose_one("Measure", list(board.metrics), key="measure", format_func=TITLES.get, help=_METRIC)
    rows = charts.score_rows(board, metric)
    summary = charts.score_summary(rows, metric)
    others = "; the published ones left their CNN as it came" if (board.data, board.split) == PUBLISHED_ON else ""
    say(f"Lines: 95% intervals. Filled points: the decoders. Diamonds: what their scores can be held against{others}.")
    st.altair_chart(charts.score_chart(rows, metric), alt=summary)
    say(_fewer(board, metric))
    with st.expander("The same as a table"):
        st.dataframe(charts.score_table(rows, board, metric), alt=summary)
    if found := gaps(board, metric):
        st.subheader("The same photographs, two decoders at a time", anchor=False)
        summary = charts.gap_summary(found, metric)
        say(
            "A pair is compared photograph by photograph, so hard photographs do not blur it. "
            "A difference is not significant if its interval crosses the dashed line at 0."
        )
        table = charts.gap_table(found).style.format(number, subset=charts.GAP_NUMBERS)
        draw(charts.gap_chart(found, metric), summary, "The differences as a table", table, hide_index=True)


def _fewer(board: Board, metric: str) -> str:
    """The decoders' scores against as few captions as people are scored against."""
    fewer = board.comparison.against_fewer if board.comparison else {}
    held = sorted(score.metrics[metric] for score in fewer.values() if metric in score.metrics)
    if not held:
        return ""
    people = board.comparison.yardsticks[PEOPLE].metrics[metric]
    own = sorted(entry.score.metrics[metric] for entry in board.entries)
    return (
        f"People score {number(people)}: the mean over each photograph’s captions, each held against the others, which is one "
        f"caption fewer than a decoder is held against. Held against as few, the decoders score {number(held[0])} to "
        f"{number(held[-1])} in {TITLES[metric]}, not {number(own[0])} to {number(own[-1])}."
    )


def _show_wording(board: Board) -> None:
    st.header("How they put it", anchor=False)
    wording = board.comparison.wording
    st.html(cards.wording_table(wording, board.images))
    most = max(held.different_words for name, held in wording.items() if name != PEOPLE)
    if PEOPLE in wording and most:
        times = wording[PEOPLE].different_words / most
        text = f"For as many photographs people use {times:.1f} times as many different words as the most varied decoder."
        say(text)


@refusals()
def _show_beams(folder: Path) -> None:
    from captioner.figures.scores import score_charts as charts

    st.header("How far to look: the beam", anchor=False)
    tried = read_beams(folder)
    say(
        f"Every setting was tried on dev; beam {tried.beam} with length preference {tried.length_preference:g} reached the "
        "highest CIDEr, as the mean of the decoders, and is used everywhere."
    )
    table = charts.beam_table(tried).style.format(precision=3)
    draw(charts.beam_chart(tried), charts.beam_summary(tried), "All settings that were tried", table)


@refusals()
def _show_gauge(folder: Path) -> None:
    """CIDEr by strangeness, where it was measured."""
    from captioner.figures.scores import novelty_chart

    curve = load_curve(folder)
    if curve is None:
        return
    st.header("Are strange photographs captioned worse?", anchor=False)
    say(novelty_text.verdict(curve))
    say(
        "Points: the mean of the decoders on a tenth of the photographs each, with 95% intervals. Dashed line: the mean on "
        "all. The gauge of the page of captions takes its words from here."
    )
    chart, table = novelty_chart.chart(curve), novelty_chart.as_table(curve)
    draw(chart, novelty_text.summary(curve), "The curve as a table", table, height="content")


def _show_published() -> None:
    from captioner.figures.scores import score_charts as charts

    st.header("What others reached", anchor=False)
    say(in_short())
    say("Published figures for the test photographs of Flickr8k:")
    st.dataframe(charts.published_table(), alt=charts.published_summary())
    for source, scoring in dict.fromkeys((system.source, system.scoring) for system in PUBLISHED):
        titles = [system.title for system in PUBLISHED if (system.source, system.scoring) == (source, scoring)]
        say(f"{listed(titles)}: {source} ({scoring}).")


def _refuse(problems: list[CheckpointError]) -> None:
    for problem in problems:
        refuse(problem)
