"""What a training has to tell epoch by epoch, and how far it has come: the lines of a history."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any

from captioner.config import FIRST, Schedule
from captioner.runtime import cores

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True)
class Epoch:
    """One line of a history; losses are mean cross-entropies per real target word, in nats.

    In the second stage the training loss is that of some training photographs without dropout, `reward` what the captions
    drawn earned on average, and `dev_cider` that of greedy captions on dev.
    """

    epoch: int
    train_loss: float
    dev_loss: float
    seconds: float
    learning_rate: float
    stage: str = FIRST
    reward: float | None = None
    dev_cider: float | None = None
    cores: int | None = field(default_factory=cores)  # that the seconds were spent on; histories of long ago do not say

    def to_json(self) -> dict[str, float | str]:
        """What there is of it, as plain data."""
        return {name: value for name, value in asdict(self).items() if value is not None}

    @classmethod
    def of(cls, stored: Mapping[str, Any]) -> "Epoch":
        """One that `to_json` gave, of this version or an earlier one."""
        return cls(**{"cores": None, **stored})

    @property
    def selection_score(self) -> float:
        """What the best epoch has most of: CIDEr on dev where it was measured, else the least loss."""
        return -self.dev_loss if self.dev_cider is None else self.dev_cider


@dataclass
class TrainingState:
    """All that is needed to go on after an epoch, and the best weights so far.

    `before` holds the epochs of the run that this one started from; they count in the history and nowhere else.
    """

    epochs: list[Epoch] = field(default_factory=list)
    variables: "dict[str, np.ndarray]" = field(default_factory=dict)
    best: "dict[str, np.ndarray]" = field(default_factory=dict)
    before: list[Epoch] = field(default_factory=list)

    def to_json(self) -> dict[str, list]:
        """Its epochs as plain data; the weights are kept apart."""
        return {name: [epoch.to_json() for epoch in getattr(self, name)] for name in ("epochs", "before")}

    @classmethod
    def of(cls, stored: Mapping[str, Any], **weights: "dict[str, np.ndarray]") -> "TrainingState":
        """What `to_json` gave, with its weights."""
        epochs, before = ([Epoch.of(epoch) for epoch in stored[name]] for name in ("epochs", "before"))
        return cls(epochs, before=before, **weights)

    @property
    def best_epoch(self) -> int:
        return max(self.epochs, key=lambda epoch: epoch.selection_score).epoch if self.epochs else 0

    def finished(self, config: Schedule) -> bool:
        done = len(self.epochs)
        return done >= config.epochs or done - self.best_epoch >= config.patience

    def history(self, variant: str, seed: int, status: str) -> dict:
        earlier = len(self.before)
        epochs = [replace(epoch, epoch=number).to_json() for number, epoch in enumerate(self.before + self.epochs, start=1)]
        best = earlier + self.best_epoch
        return {"variant": variant, "seed": seed, "state": status, "epochs": epochs, "earlier": earlier, "best_epoch": best}
