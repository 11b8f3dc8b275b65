"""What the decoders of a folder have in common and where they differ, found in their settings rather than said."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from captioner.config import SHIPPED, STAGES, TrainingConfig, find_variant
from captioner.figures.decoder.settings_in_words import shape_in_words
from captioner.model.checkpoints import Checkpoint


@dataclass(frozen=True)
class Property:
    """One property of the decoders, in words for each of them, and whether it is the same in all."""

    label: str
    values: tuple[str, ...]
    same: bool


def difference(folder: Path) -> str:
    """What sets the decoders apart, in a sentence; only those that ship are known to have had more text."""
    ours = Path(folder).resolve().is_relative_to(SHIPPED)
    made = "were made beforehand, from further text as well," if ours else "were made beforehand"
    return (
        "They are built and trained alike and differ only in where their words’ vectors come from: Learned’s are trained with "
        f"the decoder, the other two’s {made} and stay frozen."
    )


def compare(checkpoints: Mapping[str, Checkpoint]) -> tuple[Property, ...]:
    """One row a property; the values stand in the order of the checkpoints."""
    return tuple(_compare(label, list(checkpoints.values()), of, tell) for label, of, tell in _PROPERTIES)


def _compare(label: str, checkpoints: list[Checkpoint], of: Callable, tell: Callable) -> Property:
    values = [of(checkpoint) for checkpoint in checkpoints]
    return Property(label, tuple(map(tell, values)), all(value == values[0] for value in values))


def _tell_training(training: TrainingConfig) -> str:
    return f"batches of {training.images_per_batch} photographs, label smoothing {training.label_smoothing:g}, all other settings"


def _tell_frozen(frozen: bool) -> str:
    return "no, frozen" if frozen else "yes"


_PROPERTIES: tuple[tuple[str, Callable[[Checkpoint], Any], Callable[[Any], str]], ...] = (
    ("CNN", lambda found: found.encoder, lambda mark: f"{mark.name}, frozen"),
    ("Layers", lambda found: found.preset.decoder, shape_in_words),
    ("Vocabulary", lambda found: found.vocabulary.words, lambda words: f"{len(words):,} words of the same training captions"),
    ("First stage of training", lambda found: found.preset.training, _tell_training),
    ("Last stage of training", lambda found: found.stage, lambda stage: STAGES[stage].title),
    ("Seed of all that is random", lambda found: found.seed, str),
    ("Where the words’ vectors come from", lambda found: found.table.source, str),
    ("Are they trained further?", lambda found: find_variant(found.variant).frozen, _tell_frozen),
)
