"""Figures from what training wrote: the loss curves of the decoders as one Altair chart, and the table behind it.

Knows no Streamlit; the same histories give the same figure on a page, in a notebook or in a file.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from captioner.checkpoints import HISTORY
from captioner.config import VARIANTS, Variant, find_variant
from captioner.errors import CheckpointError
from captioner.folders import read_json

if TYPE_CHECKING:
    import altair as alt
    import pandas as pd

SPLITS = {"train_loss": "training", "dev_loss": "dev"}
_CHART_HEIGHT = 420
_STATES = ("running", "finished", "stopped")


@dataclass(frozen=True)
class Epoch:
    """One pass over the training photographs: mean losses per word, in nats, and how long it took."""

    epoch: int
    train_loss: float
    dev_loss: float
    seconds: float


@dataclass(frozen=True)
class History:
    """One decoder's training, epoch by epoch, as far as it has come."""

    variant: Variant
    state: str
    epochs: tuple[Epoch, ...]
    best_epoch: int

    @property
    def best(self) -> Epoch:
        return next(epoch for epoch in self.epochs if epoch.epoch == self.best_epoch)

    @property
    def seconds_per_epoch(self) -> float:
        """The median, since the first epoch also compiles and a machine may be busy with something else."""
        ordered = sorted(epoch.seconds for epoch in self.epochs)
        return ordered[len(ordered) // 2]


def read_histories(folder: Path) -> tuple[list[History], list[CheckpointError]]:
    """The histories in a folder of checkpoints, and for every decoder without a usable one the reason."""
    histories, problems = [], []
    for name in VARIANTS:
        try:
            histories.append(read_history(folder / name / HISTORY))
        except CheckpointError as error:
            problems.append(error)
    return histories, problems


def read_history(path: Path) -> History:
    variant = find_variant(path.parent.name)
    if not path.is_file():
        raise CheckpointError(
            f"{variant.title} has no curve yet: there is no {HISTORY} in {path.parent}; "
            "it appears after the first epoch of training."
        )
    data = read_json(path)
    try:
        epochs = tuple(_epoch(row) for row in data["epochs"])
        history = History(variant, str(data["state"]), epochs, int(data["best_epoch"]))
        usable = history.state in _STATES and history.best in epochs
    except (KeyError, TypeError, ValueError, OverflowError, StopIteration):
        usable = False
    if not usable:
        raise CheckpointError(
            f"The {HISTORY} of {variant.title} is not complete: it should hold a state, epochs with their losses, and the best "
            "epoch; copy it again, or train this decoder anew."
        )
    return history


def _epoch(row: Any) -> Epoch:
    losses = (float(row["train_loss"]), float(row["dev_loss"]), float(row["seconds"]))
    if not all(map(math.isfinite, losses)):
        raise ValueError
    return Epoch(int(row["epoch"]), *losses)


def loss_rows(histories: Sequence[History]) -> "pd.DataFrame":
    """One row per decoder, epoch and split: what the chart draws."""
    import pandas as pd

    rows = [
        (history.variant.title, epoch.epoch, split, getattr(epoch, loss), epoch.epoch == history.best_epoch)
        for history in histories
        for epoch in history.epochs
        for loss, split in SPLITS.items()
    ]
    return pd.DataFrame(rows, columns=["decoder", "epoch", "split", "loss", "best"])


def loss_table(histories: Sequence[History]) -> "pd.DataFrame":
    """One row per epoch, two columns per decoder: what a person reads."""
    import pandas as pd

    columns = {
        f"{history.variant.title}, {split}": pd.Series({epoch.epoch: getattr(epoch, loss) for epoch in history.epochs})
        for history in histories
        for loss, split in SPLITS.items()
    }
    return pd.DataFrame(columns).rename_axis("epoch")


def loss_curves(histories: Sequence[History], first_epoch: int = 1) -> "alt.LayerChart":
    """Dev loss strong, training loss thin and faint, a decoder's own colour and dashes, its best epoch as a dot."""
    import altair as alt

    rows = loss_rows(histories)
    lines = alt.Chart(rows[rows.epoch >= first_epoch]).encode(
        x=alt.X("epoch:Q", title="epoch", axis=alt.Axis(tickMinStep=1, format="d", grid=False), scale=alt.Scale(nice=False)),
        y=alt.Y("loss:Q", title="loss per word (nats)", scale=alt.Scale(zero=False)),
        color=_by_decoder(alt.Color, [history.variant.colour for history in histories], histories),
        strokeDash=_by_decoder(alt.StrokeDash, [list(history.variant.dash) for history in histories], histories),
    )
    training = lines.transform_filter("datum.split == 'training'").mark_line(strokeWidth=1.5, opacity=0.6)
    dev = lines.transform_filter("datum.split == 'dev'").mark_line(strokeWidth=3.5)
    best = lines.transform_filter("datum.split == 'dev' && datum.best").mark_point(size=170, filled=True, opacity=1)
    best = best.encode(tooltip=alt.value(None), strokeDash=alt.value([1, 0]))
    figure = alt.layer(training, dev, best, _hover(lines, histories)).properties(height=_CHART_HEIGHT)
    # The colour of the text around the chart, whatever the theme.
    ink = {"labelColor": "currentColor", "titleColor": "currentColor"}
    return figure.configure_axis(**ink).configure_legend(**ink)


def _by_decoder(channel: Any, values: list, histories: Sequence[History]) -> Any:
    import altair as alt

    titles = [history.variant.title for history in histories]
    legend = alt.Legend(
        orient="top-right", symbolType="stroke", symbolSize=1200, symbolStrokeWidth=3.5, symbolOpacity=1, labelFontSize=14
    )
    return channel("decoder:N", title=None, scale=alt.Scale(domain=titles, range=values), legend=legend)


def _hover(lines: "alt.Chart", histories: Sequence[History]) -> "alt.Chart":
    """A line at the epoch under the pointer, which tells all the losses of that epoch."""
    import altair as alt

    near = alt.selection_point(fields=["epoch"], nearest=True, on="pointerover", empty=False, clear="pointerout")
    columns = [f"{history.variant.title}, {split}" for history in histories for split in SPLITS.values()]
    return (
        alt.Chart(lines.data)
        .transform_calculate(column="datum.decoder + ', ' + datum.split")
        .transform_pivot("column", value="loss", groupby=["epoch"])
        .mark_rule(strokeWidth=1.5, color="currentColor")
        .encode(
            x="epoch:Q",
            opacity=alt.condition(near, alt.value(0.8), alt.value(0)),
            tooltip=[alt.Tooltip("epoch:Q"), *(alt.Tooltip(column, type="quantitative", format=".3f") for column in columns)],
        )
        .add_params(near)
    )


def summary(histories: Sequence[History]) -> str:
    """The chart in words, for who cannot see it."""
    parts = (
        f"{history.variant.title}: dev loss from {history.epochs[0].dev_loss:.2f} to its best, {history.best.dev_loss:.2f}, "
        f"in epoch {history.best_epoch} of {len(history.epochs)}."
        for history in histories
    )
    return "Loss per word after each epoch. " + " ".join(parts)
