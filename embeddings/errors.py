"""The root of the project's one family of errors.

    TriptychError                      every sentence that a user may read
    ├── EmbeddingError                 a table, a vectors file, a word
    └── captioner.errors:
        ├── ConfigError                a setting or a name that does not exist
        ├── ImageError                 a file that is not a usable photograph
        ├── DatasetError               captions, splits, image folders
        ├── VocabularyError            words and their numbers
        ├── EncoderError               the CNN's weights or its name
        ├── FeatureError               the feature cache on disk
        ├── CheckpointError            a folder of trained weights
        └── TrainingError              a run that cannot start, go on or end well
            └── DivergedError          a loss that is no number any more

A message says what was wrong, what was expected and what to do. Anything else that escapes is a bug.
"""


class TriptychError(Exception):
    """A mistake that a person can mend, told in whole sentences."""


class EmbeddingError(TriptychError):
    """A table of word vectors, or a file of them, that cannot be used as asked."""
