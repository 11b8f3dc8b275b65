"""The page of the losses: how they fell while the three decoders were trained, of any run, and live."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import streamlit as st

from captioner.config import VARIANTS
from captioner.errors import CheckpointError
from captioner.figures.curves import course_project
from captioner.figures.curves.histories import Curve, find_runs, in_progress, read_run
from captioner.figures.curves.loss_data import (
    EPOCHS,
    MINUTES,
    REWARDS,
    LossPlot,
    LossView,
    loss_csv,
    loss_table,
    settled,
    summary,
)
from captioner.figures.decoder.settings_in_words import Settings, read_all
from captioner.model.stage_folders import stage_folder
from captioner.training.provenance import trained_on_dev
from captioner.views.curves import facts, live_training
from captioner.views.launch_options import launch_options
from captioner.views.resources import choose_one, open_page, refusals, refuse

_FROM = "from"
_EVERY = 2  # seconds between two looks at a run that goes on
_SMOOTHING = (
    "0 shows what was measured. Above, each point is an average over the epochs so far, in which an epoch counts this fraction "
    "of the one after it (exponential moving average, with bias correction); what was measured stays behind it, faint."
)
_STEEP = (
    "Losses fall steeply at first, which would squeeze the rest; so the chart begins when most of the fall is over. "
    "1 shows all of it."
)
_LOG = "Equal distances are equal ratios, so that small differences between low losses can be seen (logarithmic axis)."
_NO_TIMES = "The course project published no times; its curves are there when epochs run along the bottom."
_RUNS = (
    "A run is one training of the three decoders. More of them can be named when the page is started: "
    "streamlit run app.py -- --runs DIR"
)


def show() -> None:
    open_page("How the three decoders learned", "curves/curves.css")
    introduction = st.container()
    run = _choose_run()
    introduction.markdown(_introduction("drawn pictures" if run is None else "photographs"))
    curves, _ = _read(run)
    view = _view(curves, _goes_on(run, curves))
    follow = _EVERY if run is None or in_progress(curves) else None
    st.fragment(_show_run, run_every=follow)(run, view, _moment(run, curves))


def _introduction(pictures: str) -> str:
    writer = "that a person wrote" if pictures == "photographs" else "of a description"
    return (
        f"The loss says how surprised a decoder is, on average, by the next word {writer}. **Strong lines**: {pictures} it was "
        "not trained on (dev). **Thin lines**: those that it was trained on. A dot marks the best epoch, whose weights are kept."
    )


def _choose_run() -> Path | None:
    """Draw the choice of runs and the button that trains one now; None stands for the training on this page."""
    launched = launch_options()
    runs = _named(launched.checkpoints, launched.runs)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        options = [*runs, live_training.LIVE]
        name = st.selectbox("Run", options, key="run", bind="query-params", help=_RUNS, width=360, on_change=_forget_start)
        if name != live_training.LIVE:
            live_training.show_button()
    return runs.get(name)


def _named(own: Path, others: Sequence[Path]) -> dict[str, Path]:
    """The runs by the name under which they are offered; the decoders of the other pages come first."""
    runs: dict[str, Path] = {}
    for folder in (own, *others):
        own_first = [stage_folder(folder)] if folder is own else []
        found = find_runs([*own_first, folder]) or [own] * (folder is own)
        if not found:
            refuse(CheckpointError(f"There is no run in {folder}: nothing in it holds the history of {', '.join(VARIANTS)}."))
        for run in found:
            name = run.resolve().relative_to(folder.resolve().parent).as_posix()
            runs.setdefault(name if runs.get(name, run) == run else str(run.resolve()), run)
    return runs


def _read(run: Path | None) -> tuple[list[Curve], list[CheckpointError]]:
    if run is not None:
        return read_run(run)
    live = live_training.live()
    # What is missing there has not been trained yet, which the page says in its own words.
    return (read_run(live.folder, live.active)[0], []) if live.folder else ([], [])


def _goes_on(run: Path | None, curves: list[Curve]) -> bool:
    return live_training.live().active if run is None else in_progress(curves)


def _moment(run: Path | None, curves: list[Curve]) -> tuple[bool, str]:
    """What the whole page depends on; when it changes, redrawing the curves alone is not enough."""
    return _goes_on(run, curves), live_training.live().state


def _view(curves: list[Curve], goes_on: bool) -> LossView:
    """Draw the controls in one row; everything chosen lives in the page's address."""
    with st.container(horizontal=True, vertical_alignment="bottom", gap="large", key="controls"):
        axis = choose_one("Along the bottom", [EPOCHS, MINUTES], key="axis")
        smoothing = st.slider("Smoothing", 0.0, 0.9, 0.0, 0.1, key="smooth", bind="query-params", help=_SMOOTHING, width=200)
        first = _first_epoch([] if goes_on else curves)
        log = st.toggle("Log axis", key="log", bind="query-params", help=_LOG)
        about = f"Lay over them the training losses of {course_project.SOURCE}."
        laid_over = st.toggle("Course project", key="course", bind="query-params", help=about)
    return LossView(axis, log, smoothing, first, laid_over)


def _first_epoch(curves: list[Curve]) -> int:
    """Ask where the curves start, once they are whole."""
    latest = max((len(curve.points) for curve in curves), default=0) - 1
    if latest < 2:
        _forget_start()
        return 1
    return st.slider("First epoch shown", 1, latest, settled(curves), key=_FROM, bind="query-params", help=_STEEP, width=200)


def _forget_start() -> None:
    """Each run has a start of its own; another's, which Streamlit keeps, would stand in its place."""
    st.session_state.pop(_FROM, None)
    st.query_params.pop(_FROM, None)


@refusals()
def _show_run(run: Path | None, view: LossView, moment: tuple[bool, str]) -> None:
    """All that follows a run in progress; it looks at the files anew each time."""
    from captioner.figures.curves.loss_chart import loss_chart

    curves, problems = _read(run)
    if _moment(run, curves) != moment:
        st.rerun()
    if run is None:
        live_training.show_panel(curves)
    else:
        _show_problems(curves, problems)
    if not curves:
        return
    plot = LossPlot(tuple(curves), view, live_training.expected_epochs() if run is None else 0)
    chart, beside = st.columns([3, 1], gap="large")
    settings, damaged = read_all(live_training.live().folder if run is None else run)
    with chart:
        st.altair_chart(loss_chart(plot), alt=summary(curves))
        _show_remarks(plot, settings)
        if run is not None and trained_on_dev(run):
            st.markdown("They were trained on the photographs of dev, too: what is measured there is not of unseen ones.")
        _show_reward(curves)
        facts.show_cards(curves)
        _show_table(plot)
    with beside:
        facts.show_settings(curves, settings)
        for problem in damaged:
            refuse(problem)


def _show_reward(curves: list[Curve]) -> None:
    """What the decoders were trained for in the second stage, and what became of it on other photographs."""
    if not any(curve.rewarded for curve in curves):
        return
    from captioner.figures.curves.reward_chart import reward_chart, reward_summary

    st.subheader("The stage of reward", anchor=False)
    st.markdown(
        "**CIDEr on dev**: how well the captions of greedy search agree with people’s, on photographs that the decoders were not "
        "trained on. **Reward in training**: the mean CIDEr of captions drawn by lot for training photographs. When the reward "
        "goes on rising and CIDEr on dev does not, a decoder is learning its training photographs by heart."
    )
    for column, name in zip(st.columns(len(REWARDS), gap="medium"), REWARDS, strict=True):
        column.altair_chart(reward_chart(curves, name), alt=reward_summary(curves, name))


def _show_problems(curves: list[Curve], problems: list[CheckpointError]) -> None:
    if in_progress(curves):
        missing = VARIANTS.keys() - {curve.variant.name for curve in curves}
        to_come = [variant.title for variant in VARIANTS.values() if variant.name in missing]
        st.markdown(
            f"This run is going on; the curves grow as it does. Still to come: {', '.join(to_come) or 'no other decoder'}."
        )
        return
    for problem in problems:
        refuse(problem)


def _show_remarks(plot: LossPlot, settings: list[Settings]) -> None:
    """What the chart's marks mean, as far as they are there."""
    remarks = []
    seeds = max(len(curve.histories) for curve in plot.curves)
    if seeds > 1:
        remarks.append(f"Each line is the mean over up to {seeds} seeds; the band reaches from the lowest to the highest.")
    if plot.view.first_epoch > 1:
        remarks.append("The steep fall before is left out; it is there when the first epoch shown is 1.")
    if plot.second_stage:
        remarks.append(_about_stages(plot.curves))
    if plot.view.smoothed:
        remarks.append("The lines are smoothed; the faint ones behind them, the dots and the pointer tell what was measured.")
    if plot.view.course:
        words = settings[0].words if settings else None
        remarks += [course_project.description(), course_project.caution(words)] if plot.course else [_NO_TIMES]
    if remarks:
        st.markdown("\n\n".join(remarks))


def _about_stages(curves: Sequence[Curve]) -> str:
    lengths = sorted({curve.earlier for curve in curves if curve.earlier})
    first = " or ".join(map(str, lengths))
    if not any(curve.rewarded for curve in curves):
        return f"The first {first} epochs were an earlier stage; at the upright rule a second one began from its weights."
    return (
        f"The first {first} epochs were the first stage. At the upright rule the stage of reward began from its weights: since "
        "then the decoders were no longer trained to predict people’s words, so this loss may rise; that on training "
        "photographs was measured without dropout and is lower. The best epoch is then the one with the highest CIDEr on dev."
    )


def _show_table(plot: LossPlot) -> None:
    from captioner.figures.curves.loss_file import loss_file

    with st.expander("The same as a table"):
        st.dataframe(loss_table(plot.curves).style.format("{:.3f}", na_rep=""), alt=summary(plot.curves))
    with st.container(horizontal=True):
        st.download_button("Losses as CSV", loss_csv(plot.curves), "losses.csv", "text/csv", on_click="ignore")
        for kind, mime in (("png", "image/png"), ("svg", "image/svg+xml")):
            draw = partial(loss_file, plot, kind)  # only when it is asked for
            st.download_button(f"Chart as {kind.upper()}", draw, f"losses.{kind}", mime, on_click="ignore")
