"""Every setting as a frozen dataclass, and the rows of data that name them: `VARIANTS` and `PRESETS`."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from captioner.errors import ConfigError

ImageEntry = Literal["attention", "merge", "init", "pre"]


@dataclass(frozen=True)
class Variant:
    """One of the three decoders; they differ in the source of their words' vectors and in nothing else."""

    name: str
    title: str
    frozen: bool
    colour: str
    dash: tuple[int, int]
    explanation: str


VARIANTS: dict[str, Variant] = {
    variant.name: variant
    for variant in (
        Variant("learned", "Learned", False, "#0072B2", (1, 0), "vectors that start at random and are trained with the decoder"),
        Variant("word2vec", "Word2Vec", True, "#D55E00", (8, 4), "frozen vectors of words that keep the same company"),
        Variant("fasttext", "FastText", True, "#009E73", (2, 3), "frozen vectors composed of pieces of words"),
    )
}


@dataclass(frozen=True)
class DecoderConfig:
    """The shape of a decoder. `image_entry` is the switch: how the photograph enters."""

    image_entry: ImageEntry = "attention"
    embedding_dimensions: int = 300
    units: int = 512
    layers: int = 1
    image_units: int = 512
    heads: int = 8
    hidden_units: int = 512
    feature_dropout: float = 0.3
    dropout: float = 0.5
    row_scale: float = 0.1


@dataclass(frozen=True)
class TrainingConfig:
    """How a decoder is trained; the same for all three variants."""

    epochs: int = 18
    patience: int = 4
    images_per_batch: int = 32
    learning_rate: float = 8e-4
    warmup_epochs: float = 0.5
    weight_decay: float = 0.01
    clip_norm: float = 5.0
    label_smoothing: float = 0.1
    averaging: float = 0.995
    views: int = 6
    word_dropout: float = 0.0
    minimum_count: int = 5


@dataclass(frozen=True)
class EmbeddingConfig:
    """How the frozen tables are trained; the same for Word2Vec and FastText."""

    window: int = 2
    epochs: int = 5
    negatives: int = 10
    minimum_count: int = 2
    buckets: int = 20_000


@dataclass(frozen=True)
class Preset:
    """A named recipe: one row of data over the one builder and the one trainer."""

    name: str
    encoder: str = "efficientnet-lite2"
    decoder: DecoderConfig = field(default_factory=DecoderConfig)
    training: TrainingConfig = field(default_factory=TrainingConfig)
    embedding: EmbeddingConfig = field(default_factory=EmbeddingConfig)


PRESETS: dict[str, Preset] = {
    preset.name: preset
    for preset in (
        Preset("triptych"),
        # What follows it, with --from: whole photographs and their mirror images, gentler, once the crops have done their work.
        Preset(
            "triptych-settle",
            decoder=DecoderConfig(feature_dropout=0.2, dropout=0.3),
            training=TrainingConfig(epochs=2, learning_rate=2e-4, averaging=0.99, views=2),
        ),
        Preset(
            "tiny",
            decoder=DecoderConfig(
                embedding_dimensions=16, units=32, image_units=32, heads=2, hidden_units=32, feature_dropout=0.0, dropout=0.1
            ),
            training=TrainingConfig(
                epochs=12, images_per_batch=16, learning_rate=1e-2, label_smoothing=0.0, averaging=0.9, views=1, minimum_count=1
            ),
            embedding=EmbeddingConfig(epochs=3, minimum_count=1, buckets=500),
        ),
        Preset(
            "shapes",
            decoder=DecoderConfig(
                embedding_dimensions=64, units=128, image_units=128, heads=4, hidden_units=128, feature_dropout=0.1, dropout=0.2
            ),
            training=TrainingConfig(
                epochs=16, images_per_batch=16, learning_rate=5e-3, label_smoothing=0.0, averaging=0.98, views=1, minimum_count=1
            ),
            embedding=EmbeddingConfig(epochs=20, minimum_count=1, buckets=500),
        ),
    )
}


@dataclass(frozen=True)
class SearchConfig:
    """How a caption is looked for: the method, and what each method needs."""

    method: Literal["beam", "greedy", "sample"] = "beam"
    beam: int = 3
    length_preference: float = 0.7
    temperature: float = 1.0
    seed: int = 0
    maximum_words: int = 30
    alternatives: int = 5


def find_variant(name: str) -> Variant:
    return _find(VARIANTS, name, "variant")


def find_preset(name: str) -> Preset:
    return _find(PRESETS, name, "preset")


def _find(rows: Mapping[str, Any], name: str, kind: str) -> Any:
    if name not in rows:
        raise ConfigError(f"There is no {kind} '{name}'; choose one of {', '.join(rows)}.")
    return rows[name]


def to_json(config: Any) -> dict[str, Any]:
    """A config as plain data, the way it is stored inside a checkpoint."""
    return dataclasses.asdict(config)


def preset_from_json(data: Any) -> Preset:
    """Read a preset back, refusing names and types that this version does not know."""
    return _from_json(Preset, data, "preset")


def _from_json(kind: type, data: Any, where: str) -> Any:
    if not isinstance(data, dict):
        raise ConfigError(f"The {where} settings should be a table of names and values, but are {type(data).__name__}.")
    fields = {item.name: item for item in dataclasses.fields(kind)}
    unknown = sorted(set(data) - set(fields))
    missing = sorted(set(fields) - set(data))
    if unknown or missing:
        wrong = f"'{unknown[0]}' is not known" if unknown else f"'{missing[0]}' is missing"
        raise ConfigError(f"The {where} settings do not fit this version of the program: {wrong}.")
    return kind(**{name: _value(fields[name], value, where) for name, value in data.items()})


def _value(item: dataclasses.Field, value: Any, where: str) -> Any:
    default = item.default_factory() if item.default_factory is not dataclasses.MISSING else item.default
    if dataclasses.is_dataclass(default):
        return _from_json(type(default), value, item.name)
    expected = str if default is dataclasses.MISSING else type(default)
    if expected is float and type(value) is int:
        return float(value)
    if type(value) is not expected:
        raise ConfigError(f"The {where} setting '{item.name}' should be of type {expected.__name__}, but is {value!r}.")
    return value
