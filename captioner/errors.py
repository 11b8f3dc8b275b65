"""The project's errors, one family under `TriptychError`; the tree is drawn in `embeddings.errors`."""

from embeddings.errors import EmbeddingError as EmbeddingError
from embeddings.errors import TriptychError as TriptychError


class BusyError(TriptychError):
    """More requests than this machine can handle."""


class ConfigError(TriptychError):
    """A setting, a preset or a variant that does not exist or does not fit."""


class ImageError(TriptychError):
    """A file that is not a readable photograph."""


class DatasetError(TriptychError):
    """Captions, split lists or image folders that cannot be used."""


class VocabularyError(TriptychError):
    """A word list that is damaged, or does not fit its numbers."""


class EncoderError(TriptychError):
    """A CNN whose weights are missing or wrong, or whose name is unknown."""


class FeatureError(TriptychError):
    """A feature cache that cannot be read or written."""


class CheckpointError(TriptychError):
    """A folder of trained weights, or a file in it, that is incomplete, changed or from another run."""


class TrainingError(TriptychError):
    """A training run that cannot start or continue."""


class DivergedError(TrainingError):
    """A training whose loss is infinite or not a number."""
