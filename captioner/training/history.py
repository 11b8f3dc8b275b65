"""The epochs of a training, the state that it resumes from, and its history as plain data."""

from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING

from captioner.config import FIRST, Schedule

if TYPE_CHECKING:
    import numpy as np

RUNNING, FINISHED, STOPPED = "running", "finished", "stopped"  # the states of a history


@dataclass(frozen=True)
class Epoch:
    """One line of a history; losses are mean cross-entropies per real target word, in nats.

    In the second stage the training loss is measured on some training photographs without dropout, `reward` is the mean
    reward of the sampled captions, and `dev_cider` is the CIDEr of greedy captions on dev.
    """

    epoch: int
    train_loss: float
    dev_loss: float
    seconds: float
    learning_rate: float
    stage: str = FIRST
    reward: float | None = None
    dev_cider: float | None = None
    cores: int | None = None  # that the seconds were spent on; early histories do not record them

    def to_json(self) -> dict[str, float | str]:
        """The fields that have a value, as plain data."""
        return {name: value for name, value in asdict(self).items() if value is not None}

    @property
    def selection_score(self) -> float:
        """The number that the best epoch maximises: CIDEr on dev if it was measured, else the negative loss."""
        return -self.dev_loss if self.dev_cider is None else self.dev_cider


@dataclass
class TrainingState:
    """Everything needed to continue after an epoch, and the best weights so far.

    `before` holds the epochs of the run that this one started from; they count only in the history.
    """

    epochs: list[Epoch] = field(default_factory=list)
    variables: "dict[str, np.ndarray]" = field(default_factory=dict)
    best: "dict[str, np.ndarray]" = field(default_factory=dict)
    before: list[Epoch] = field(default_factory=list)

    def to_json(self) -> dict[str, list]:
        """The epochs as plain data; weights are stored separately."""
        return {name: [epoch.to_json() for epoch in getattr(self, name)] for name in ("epochs", "before")}

    @property
    def best_epoch(self) -> int:
        return max(self.epochs, key=lambda epoch: epoch.selection_score).epoch if self.epochs else 0

    def finished(self, config: Schedule) -> bool:
        done = len(self.epochs)
        return done >= config.epochs or done - self.best_epoch >= config.patience

    def history(self, variant: str, seed: int, status: str) -> dict:
        """The history as plain data, its epochs numbered through those of the run before."""
        earlier = len(self.before)
        epochs = [replace(epoch, epoch=number).to_json() for number, epoch in enumerate(self.before + self.epochs, start=1)]
        best = earlier + self.best_epoch
        return {"variant": variant, "seed": seed, "state": status, "epochs": epochs, "earlier": earlier, "best_epoch": best}
