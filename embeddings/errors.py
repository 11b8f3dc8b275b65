"""The root of the project's one family of errors.

    TriptychError                      every error whose message a user may read
    ├── EmbeddingError                 a table, a vectors file, a word
    └── captioner.errors:
        ├── ConfigError                a setting or a name that does not exist
        ├── ImageError                 a file that is not a usable photograph
        ├── DatasetError               captions, splits, image folders
        ├── VocabularyError            words and their numbers
        ├── EncoderError               the CNN's weights or its name
        ├── FeatureError               the feature cache on disk
        ├── CheckpointError            a folder of trained weights
        └── TrainingError              a run that cannot start, continue or finish
            └── DivergedError          a loss that is not a number

A message says what was wrong, what was expected and what to do. Any other exception that escapes is a bug.
"""


class TriptychError(Exception):
    """A problem that the user can fix, described in whole sentences."""


class EmbeddingError(TriptychError):
    """A table or a file of word vectors that cannot be used as requested."""
