"""Writes the numbers of every finished epoch as scalars for TensorBoard.

TensorFlow writes the event files by itself, but viewing them takes the package tensorboard, which is required before training.
"""

import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING

from captioner.errors import ConfigError, TrainingError
from captioner.training.history import Epoch, TrainingState

if TYPE_CHECKING:
    import tensorflow as tf

# The field of an epoch by its name in TensorBoard; those of the second stage have no value before it.
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
            "--tensorboard needs the package tensorboard, which is not installed; run pip install tensorboard, or omit it."
        )


class EventLog:
    """Called after every epoch of a run; writes the run's own epochs, numbered as in its history."""

    def __init__(self, folder: Path):
        self.folder = Path(folder)
        self._writer: tf.summary.SummaryWriter | None = None

    def prepare(self, resumes: bool) -> None:
        """Check the folder before training: two runs in one log would be drawn as one line."""
        if self._has_events() and not resumes:
            raise TrainingError(f"{self.folder} already holds the log of another run; choose another with --tensorboard.")
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise TrainingError(f"{self.folder} cannot be created ({error.strerror}); choose another folder.") from error

    def _has_events(self) -> bool:
        return any(self.folder.glob("events.out.tfevents.*"))

    def __call__(self, state: TrainingState) -> None:
        """Write the epoch that has just ended; into an empty log, also the run's epochs before it."""
        import tensorflow as tf

        epochs = state.epochs[-1:] if self._has_events() else state.epochs
        try:
            if self._writer is None:
                self._writer = tf.summary.create_file_writer(str(self.folder))
            with self._writer.as_default():
                for epoch in epochs:
                    tf.summary.experimental.write_raw_pb(_scalars(epoch), step=len(state.before) + epoch.epoch)
            self._writer.flush()
        except (OSError, tf.errors.OpError) as error:
            raise TrainingError(f"The log in {self.folder} cannot be written; make room or choose another folder.") from error


def _scalars(epoch: Epoch) -> bytes:
    """A serialised summary; `tf.summary.scalar` would need the package tensorboard."""
    import tensorflow as tf

    numbers = {tag: getattr(epoch, name) for tag, name in SCALARS.items()}
    values = [tf.compat.v1.Summary.Value(tag=tag, simple_value=value) for tag, value in numbers.items() if value is not None]
    return tf.compat.v1.Summary(value=values).SerializeToString()
