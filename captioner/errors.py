"""The project's errors, one family under `TriptychError`; the tree is drawn in `embeddings.errors`."""

from embeddings.errors import EmbeddingError, TriptychError

__all__ = [
    "BusyError",
    "CheckpointError",
    "ConfigError",
    "DatasetError",
    "DivergedError",
    "EmbeddingError",
    "EncoderError",
    "FeatureError",
    "ImageError",
    "TrainingError",
    "TriptychError",
    "VocabularyError",
]


class BusyError(TriptychError):
    """More people want something of this machine than it can do for them."""


class ConfigError(TriptychError):
    """A setting, a preset or a variant that does not exist or does not fit."""


class ImageError(TriptychError):
    """A file that is not a photograph we can read."""


class DatasetError(TriptychError):
    """Captions, split lists or image folders that cannot be used."""


class VocabularyError(TriptychError):
    """Words and their numbers that do not belong together."""


class EncoderError(TriptychError):
    """The CNN's weights are missing, wrong, or its name is unknown."""


class FeatureError(TriptychError):
    """The feature cache on disk cannot be read or written."""


class CheckpointError(TriptychError):
    """A folder of trained weights that is incomplete, altered or of another run."""


class TrainingError(TriptychError):
    """A training run that cannot start or go on."""


class DivergedError(TrainingError):
    """A training whose loss is no number any more."""
