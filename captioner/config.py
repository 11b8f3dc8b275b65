"""Every setting as a frozen dataclass, and the rows `VARIANTS`, `STAGES` and `CONTROLS`; recipes are in `presets`."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from captioner.errors import ConfigError

FIRST, REWARD = "first", "reward"
LITE2, ADAPTED = "efficientnet-lite2", "efficientnet-lite2-adapted"  # the original CNN, and fine-tuned with decoders
FLOAT16, INT8 = PRECISIONS = ("float16", "int8")  # of an exported encoder; with int8 the arithmetic is in integers, too
STANDARD, JOINED = SPLITTINGS = ("standard", "7000-1000")  # the ways to split a data set
SHIPPED = Path(__file__).resolve().parent.parent / "checkpoints"  # the decoders that ship
NORM_EPSILON = 1e-5  # added to variances in batch normalisation, to avoid division by zero

_LATER = {"later": True}  # marks a setting that earlier versions did not store
_SWITCH = {**_LATER, "switch": True}  # marks one that is stored only if not default, so that older hashes stay


def by_name(*rows: Any) -> dict[str, Any]:
    return {row.name: row for row in rows}


@dataclass(frozen=True)
class Variant:
    """One of the three decoders, which differ only in the source of their word vectors."""

    name: str
    title: str
    frozen: bool
    colour: str
    dash: tuple[int, int]
    explanation: str


VARIANTS: dict[str, Variant] = by_name(
    Variant("learned", "Learned", False, "#0072B2", (1, 0), "vectors learned while captioning"),
    Variant("word2vec", "Word2Vec", True, "#D55E00", (8, 4), "vectors from reading: similar contexts (frozen)"),
    Variant("fasttext", "FastText", True, "#009E73", (2, 3), "vectors from reading: similar contexts and spelling (frozen)"),
)


@dataclass(frozen=True)
class Stage:
    """A stage of training; each stage continues from the one before."""

    name: str
    title: str
    explanation: str


STAGES: dict[str, Stage] = by_name(
    Stage(FIRST, "First stage", "The decoders learn to predict the next word of people’s captions."),
    Stage(
        REWARD,
        "Reward",
        "The decoders of the first stage continue with self-critical training: they write whole captions and are rewarded "
        "for CIDEr, with a penalty for repetitions and unfinished captions.",
    ),
)

# Controls for the comparison of the three. They do not ship.
CONTROLS: dict[str, Variant] = by_name(
    Variant("random", "Random", True, "#6E6E6E", (1, 2), "frozen vectors drawn at random"),
    Variant("word2vec-start", "Learned from Word2Vec", False, "#8C564B", (6, 2), "learned vectors that start as Word2Vec's"),
    Variant("word2vec-captions", "Word2Vec of captions", True, "#E69F00", (8, 4), "Word2Vec without the extra text"),
    Variant("fasttext-captions", "FastText of captions", True, "#56B4E9", (2, 3), "FastText without the extra text"),
)


@dataclass(frozen=True)
class DecoderConfig:
    """The architecture of a decoder; the settings from `attention` to `dropout_at` are for older recipes."""

    image_entry: Literal["attention", "merge", "init", "pre"] = "attention"
    embedding_dimensions: int = 300
    units: int = 512
    layers: int = 1
    image_units: int = 512
    heads: int = 8
    hidden_units: int = 512
    feature_dropout: float = 0.3
    dropout: float = 0.5
    row_scale: float = 0.1
    attention: Literal["heads", "additive"] = field(default="heads", metadata=_SWITCH)  # after the LSTM, or before it
    pooling: Literal["mean", "blocks"] = field(default="mean", metadata=_SWITCH)  # of all regions, or of nine blocks
    image_norm: Literal["none", "batch"] = field(default="none", metadata=_SWITCH)  # after the projection
    activation: Literal["tanh", "relu"] = field(default="tanh", metadata=_SWITCH)  # of the LSTM's candidate and output
    dropout_at: Literal["everything", "words"] = field(default="everything", metadata=_SWITCH)
    word_slots: int = field(default=0, metadata=_SWITCH)  # nouns of the CNN's own classes that it may read and copy
    slot_floor: float = field(default=0.02, metadata=_SWITCH)  # the least strength of a noun that gets a slot

    @property
    def attends(self) -> bool:
        """Whether the decoder attends to the regions of the photograph at every word."""
        return self.image_entry == "attention"

    @property
    def additive(self) -> bool:
        """Whether it attends before the LSTM reads the word, by additive attention."""
        return self.attends and self.attention == "additive"

    @property
    def adds_image(self) -> bool:
        """Whether the photograph is added to the LSTM's output at every word."""
        return self.image_entry == "merge"

    @property
    def image_is_word(self) -> bool:
        """Whether the LSTM reads the photograph like a first word."""
        return self.image_entry == "pre"

    @property
    def later_dropout(self) -> float:
        """The dropout after the word vectors: of the LSTM's output, the context and the hidden layer."""
        return self.dropout if self.dropout_at == "everything" else 0.0


@dataclass(frozen=True)
class Schedule:
    """The settings that all stages of training share."""

    epochs: int = 18
    patience: int = 4
    images_per_batch: int = 32
    learning_rate: float = 8e-4
    warmup_epochs: float = 0.5
    weight_decay: float = 0.01
    clip_norm: float = 5.0
    averaging: float = 0.995
    views: int = 6
    other_share: float = field(default=1.0, metadata=_SWITCH)  # how often an epoch shows a photograph of a further data set

    def __post_init__(self) -> None:
        if not self.other_share >= 0:
            raise ConfigError(f"other_share must be 0 or more, not {self.other_share:g}.")


@dataclass(frozen=True)
class TrainingConfig(Schedule):
    """The first stage: predicting each next word of people's captions, with the same settings for all three variants."""

    label_smoothing: float = 0.1
    word_dropout: float = 0.0
    minimum_count: int = 5
    shortest_caption: int = field(default=1, metadata=_SWITCH)  # in words; shorter ones are left out of training
    sentences: int = field(default=0, metadata=_SWITCH)  # of the extra text, without photographs, in each batch

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.sentences < 0 or self.shortest_caption < 1:
            wrong = f"{self.sentences} and {self.shortest_caption}"
            raise ConfigError(f"sentences must be 0 or more, shortest_caption 1 or more, not {wrong}.")


@dataclass(frozen=True)
class RewardConfig(Schedule):
    """The second stage: whole captions rewarded by CIDEr, with the same settings for all three variants."""

    epochs: int = 9
    patience: int = 3
    learning_rate: float = 2e-5
    weight_decay: float = 0.0
    clip_norm: float = 0.1
    averaging: float = 0.99
    views: int = 2
    samples: int = 5  # captions per photograph
    temperature: float = field(default=0.6, metadata={"stored": "temper"})  # below 1, to offset label smoothing
    feature_dropout: float = 0.0
    maximum_words: int = 20
    flaw_penalty: float = field(default=0.0, metadata=_LATER)  # for a pair or content word said twice, or a cut-off end

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.samples < 2 or self.maximum_words < 1 or not (self.temperature > 0 and 0 <= self.feature_dropout < 1):
            raise ConfigError(
                "Stage reward needs samples of 2 or more, maximum_words of 1 or more, a temperature above 0 and feature_dropout "
                f"from 0 to below 1, not {self.samples}, {self.maximum_words}, {self.temperature:g} and {self.feature_dropout:g}."
            )


@dataclass(frozen=True)
class AdaptationConfig(Schedule):
    """How the encoder is fine-tuned, once, with decoders of all three variants, from the convolution `first_block` on."""

    epochs: int = 6
    patience: int = 2
    learning_rate: float = 5e-5
    warmup_epochs: float = 0.3
    weight_decay: float = 1e-4
    clip_norm: float = 1.0
    averaging: float = 0.99
    views: int = 1
    decoder_learning_rate: float = 2e-4
    first_block: str = "blocks_4"
    smallest_crop: float = 0.6  # share of the photograph's area
    light: float = 0.2  # variation of contrast and brightness
    label_smoothing: float = 0.1
    feature_dropout: float = 0.2
    dropout: float = 0.4
    distillation: float = field(default=0.0, metadata=_SWITCH)  # weight of the original network's classes as second target

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.distillation >= 0:
            raise ConfigError(f"distillation must be 0 or more, not {self.distillation:g}.")
        if not (0 < self.smallest_crop <= 1 and 0 <= self.light < 1):
            wrong = f"{self.smallest_crop:g} and {self.light:g}"
            raise ConfigError(f"smallest_crop must be above 0 and at most 1, light from 0 to below 1, not {wrong}.")
        if self.views != 1:
            raise ConfigError("Fine-tuning the encoder makes a new crop of each photograph in every epoch; leave views at 1.")


@dataclass(frozen=True)
class EmbeddingConfig:
    """How frozen vectors are trained, with the same settings for Word2Vec and FastText."""

    window: int = 2
    epochs: int = 5
    negatives: int = 10
    minimum_count: int = 2
    buckets: int = 20_000


@dataclass(frozen=True)
class SearchConfig:
    """The search for a caption: the method and its settings."""

    method: Literal["beam", "greedy", "sample"] = "beam"
    beam: int = 3
    length_preference: float = 0.7
    temperature: float = 1.0
    seed: int = 0
    maximum_words: int = 30
    alternatives: int = 5


@dataclass(frozen=True)
class Preset:
    """A named recipe; its `search` applies until a setting has been chosen on dev."""

    name: str
    encoder: str = LITE2
    decoder: DecoderConfig = field(default_factory=DecoderConfig)
    training: TrainingConfig = field(default_factory=TrainingConfig)
    embedding: EmbeddingConfig = field(default_factory=EmbeddingConfig)
    reward: RewardConfig = field(default_factory=RewardConfig, metadata=_LATER)
    search: SearchConfig = field(default_factory=SearchConfig, metadata=_SWITCH)

    def schedule(self, stage: str) -> Schedule:
        """The settings of a stage of training."""
        return self.reward if stage == REWARD else self.training

    def up_to(self, stage: str) -> "Preset":
        """The settings that a run of a stage depends on, with a later stage at its defaults."""
        return self if stage == REWARD else dataclasses.replace(self, reward=RewardConfig())


def find_variant(name: str) -> Variant:
    return CONTROLS[name] if name in CONTROLS else find_row(VARIANTS, name, "variant")


def find_stage(name: str) -> Stage:
    return find_row(STAGES, name, "stage of training")


def find_row(rows: Mapping[str, Any], name: str, kind: str) -> Any:
    if name in rows:
        return rows[name]
    raise ConfigError(f"There is no {kind} '{name}'; choose one of {', '.join(rows)}.")
