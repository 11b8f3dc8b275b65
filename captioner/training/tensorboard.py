"""For TensorBoard: the figures of every epoch that has ended, as scalars in an event file.

TensorFlow writes such files by itself; to look at them takes the package tensorboard, which is asked for before any training.
"""

import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING

from captioner.errors import ConfigError, TrainingError
from captioner.training.history import Epoch, TrainingState

if TYPE_CHECKING:
    import tensorflow as tf

# By the name that TensorBoard shows, the figure of an epoch; those of the second stage have no value before it.
SCALARS = {
    "loss/training": "train_loss",
    "loss/dev": "dev_loss",
    "learning_rate": "learning_rate",
    "reward": "reward",
    "CIDEr/dev": "dev_cider",
}


def require_tensorboard() -> None:
    if importlib.util.find_spec("tensorboard") is None:
        raise ConfigError(
            "The logs of --tensorboard are for the package tensorboard, which is not installed; "
            "run pip install tensorboard, or leave the option out."
        )


class EventLog:
    """Called after every epoch of a run; only the run's own epochs are written, numbered as in its history."""

    def __init__(self, folder: Path):
        self.folder = Path(folder)
        self._writer: tf.summary.SummaryWriter | None = None

    def prepare(self, goes_on: bool) -> None:
        """Before any training: two runs in one log would be drawn as one line, and a folder may refuse to be written."""
        if self._has_events() and not goes_on:
            raise TrainingError(f"{self.folder} already holds the log of another run; name another folder with --tensorboard.")
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise TrainingError(f"{self.folder} cannot be made ({error.strerror}); choose another folder.") from error

    def _has_events(self) -> bool:
        return any(self.folder.glob("events.out.tfevents.*"))

    def __call__(self, state: TrainingState) -> None:
        """Write the epoch that has just ended, and into an empty log also the run's epochs before it."""
        import tensorflow as tf

        epochs = state.epochs[-1:] if self._has_events() else state.epochs
        try:
            if self._writer is None:
                self._writer = tf.summary.create_file_writer(str(self.folder))
            with self._writer.as_default():
                for epoch in epochs:
                    _write(epoch, len(state.before) + epoch.epoch)
            self._writer.flush()
        except (OSError, tf.errors.OpError) as error:
            raise TrainingError(f"The log in {self.folder} cannot be written; make room or choose another folder.") from error


def _write(epoch: Epoch, step: int) -> None:
    """As plain scalars, which every version of TensorBoard reads; `tf.summary.scalar` is a part of that package."""
    import tensorflow as tf

    figures = {tag: getattr(epoch, name) for tag, name in SCALARS.items()}
    values = [
        tf.compat.v1.Summary.Value(tag=tag, simple_value=value) for tag, value in figures.items() if value is not None
    ]
    tf.summary.experimental.write_raw_pb(tf.compat.v1.Summary(value=values).SerializeToString(), step=step)
