"""A trained decoder as a folder: settings, vocabulary, word table and weights, checked by hash, name and shape on load.

Models are built in code and weights assigned by name; nothing from disk is executed. `captioner.model.stage_folders` finds
the folder of a stage.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load as load_tensors
from safetensors.numpy import save as save_tensors

from captioner.config import FIRST, VARIANTS, DecoderConfig, Preset, find_variant
from captioner.config_io import preset_from_json, to_json
from captioner.errors import CheckpointError, ConfigError, TriptychError
from captioner.model.blueprint import TABLE_WEIGHT, Parameters, block_means, count_parameters, parts, weight_shapes
from captioner.model.stage_folders import CONFIG, stage_folder, stage_of
from captioner.storage import exists, load_folder, parse_json, read_json, save_folder
from captioner.vocabulary import Vocabulary
from embeddings.table import EmbeddingTable

if TYPE_CHECKING:
    from captioner.model.decoder import Decoder
    from captioner.vision.encoder import Encoder

FORMAT = 1
HISTORY, SCORES = "history.json", "scores.json"
_LARGEST_GRID = 16384
_NEEDED = (CONFIG, "vocabulary.json", "decoder.safetensors", "table.json", "table.safetensors")


@dataclass(frozen=True)
class EncoderMark:
    """The encoder that a decoder was trained with; other features fit it only in shape."""

    name: str
    fingerprint: str
    rows: int
    columns: int
    channels: int

    @property
    def regions(self) -> int:
        return self.rows * self.columns

    @classmethod
    def of(cls, encoder: "Encoder") -> "EncoderMark":
        return cls(encoder.name, encoder.fingerprint, encoder.rows, encoder.columns, encoder.channels)

    @classmethod
    def from_json(cls, data: Any) -> "EncoderMark":
        mark = cls(**data)
        texts, sizes = (mark.name, mark.fingerprint), (mark.rows, mark.columns, mark.channels)
        sized = all(type(size) is int and 1 <= size <= _LARGEST_GRID for size in sizes)
        if not sized or not all(type(text) is str for text in texts):
            raise CheckpointError("config.json lacks the encoder or the sizes of its features; copy the checkpoint again.")
        return mark


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """Everything needed to rebuild one trained decoder."""

    variant: str
    seed: int
    preset: Preset
    encoder: EncoderMark
    vocabulary: Vocabulary
    table: EmbeddingTable
    weights: Mapping[str, np.ndarray]
    extra: Mapping[str, bytes] = field(default_factory=dict)
    stage: str = FIRST

    def arrays(self, config: DecoderConfig | None = None) -> dict[str, np.ndarray]:
        """The weights and the word table in float32, checked by name, shape and value against its own settings or `config`."""
        config = config or self.preset.decoder
        try:
            shapes = weight_shapes(parts(config, self.encoder.channels, len(self.vocabulary)))
            block_means(config, self.encoder.regions)
        except ConfigError as error:
            raise CheckpointError(f"The settings of {self.variant} do not fit its files: {error} Copy it again.") from error
        shapes[TABLE_WEIGHT] = (len(self.table), config.embedding_dimensions)
        given = {**self.weights, TABLE_WEIGHT: self.table.vectors}
        if odd := sorted(set(shapes) ^ set(given)):
            raise CheckpointError(
                f"The weights of {self.variant} do not fit its settings: '{odd[0]}' is on one side only; copy it again."
            )
        return {name: _checked(given[name], shape, name, self.variant) for name, shape in shapes.items()}

    def with_table(self, table: EmbeddingTable) -> "Checkpoint":
        """The same decoder with another table of its words."""
        if table.words != self.table.words or table.dimensions != self.table.dimensions:
            raise CheckpointError(
                f"{find_variant(self.variant).title} needs a table of its {len(self.table)} words in {self.table.dimensions} "
                f"dimensions, but received one of {len(table)} words in {table.dimensions}; change its own table."
            )
        return replace(self, table=table)

    @property
    def parameters(self) -> Parameters:
        shapes = {name: value.shape for name, value in self.weights.items()} | {TABLE_WEIGHT: self.table.vectors.shape}
        return count_parameters(shapes, find_variant(self.variant).frozen)

    def build(self) -> "Decoder":
        """The TensorFlow decoder."""
        from captioner.model.decoder import Decoder

        arrays, mark, frozen = self.arrays(), self.encoder, find_variant(self.variant).frozen
        words = len(self.vocabulary)
        decoder = Decoder(self.preset.decoder, arrays[TABLE_WEIGHT], mark.channels, frozen, 0, mark.regions, words)
        decoder.put(arrays)
        return decoder


def _checked(value: np.ndarray, shape: tuple[int, ...], name: str, variant: str) -> np.ndarray:
    if value.shape != shape:
        raise CheckpointError(
            f"The weight '{name}' of {variant} should have the shape {shape}, but has {value.shape}; copy the checkpoint again."
        )
    with np.errstate(over="ignore"):
        given = value.astype(np.float32)
    if value.dtype.kind != "f" or not np.isfinite(given).all():
        raise CheckpointError(f"The weight '{name}' of {variant} is not all finite decimal numbers; copy it again.")
    return given


def save(folder: Path, checkpoint: Checkpoint, history: Any) -> None:
    """Write the checkpoint with float16 weights, and the history of its training beside them."""
    config = {
        "format": FORMAT,
        "variant": checkpoint.variant,
        "seed": checkpoint.seed,
        "stage": checkpoint.stage,
        "preset": to_json(checkpoint.preset),
        "encoder": vars(checkpoint.encoder),
        "vocabulary": checkpoint.vocabulary.fingerprint,
    }
    halves = {name: value.astype(np.float16) for name, value in checkpoint.weights.items()}
    files = {
        CONFIG: _json(config),
        "vocabulary.json": _json(list(checkpoint.vocabulary.words)),
        "decoder.safetensors": save_tensors(halves),
        **checkpoint.table.to_files(),
        **checkpoint.extra,
    }
    save_folder(folder, files, {HISTORY: _json(history)})


def _json(data: Any) -> bytes:
    return (json.dumps(data, indent=1) + "\n").encode()


def load(folder: Path) -> Checkpoint:
    """Read a checkpoint back; an error names the file that does not fit."""
    files = load_folder(folder)
    missing = [name for name in _NEEDED if name not in files]
    if missing:
        raise CheckpointError(f"The checkpoint {folder.name} lacks {missing[0]}; copy it again.")
    try:
        return _read(folder.name, files)
    except CheckpointError:
        raise
    except TriptychError as error:
        raise CheckpointError(f"The checkpoint {folder.name} cannot be used: {error} Copy it again.") from error
    except (KeyError, TypeError, AttributeError, ValueError, OverflowError) as error:
        raise CheckpointError(f"The settings of the checkpoint {folder.name} are damaged ({error}); copy it again.") from error


def _read(name: str, files: Mapping[str, bytes]) -> Checkpoint:
    config = parse_json(files[CONFIG], f"{name}/{CONFIG}")
    if config["format"] != FORMAT:
        raise CheckpointError(f"The checkpoint {name} has format {config['format']}, this version reads format {FORMAT}.")
    vocabulary = Vocabulary(parse_json(files["vocabulary.json"], f"{name}/vocabulary.json"))
    table = EmbeddingTable.from_files(files)
    # Further rows are for words in slots.
    if vocabulary.fingerprint != config["vocabulary"] or table.words[: len(vocabulary)] != vocabulary.words:
        raise CheckpointError(f"The vocabulary of the checkpoint {name} belongs to another run; copy the checkpoint again.")
    extra = {key: data for key, data in files.items() if key not in _NEEDED}
    return Checkpoint(
        variant=find_variant(config["variant"]).name,
        seed=int(config["seed"]),
        preset=preset_from_json(config["preset"]),
        encoder=EncoderMark.from_json(config["encoder"]),
        vocabulary=vocabulary,
        table=table,
        weights=read_tensors(files["decoder.safetensors"], f"{name}/decoder.safetensors"),
        extra=extra,
        stage=stage_of(config),
    )


def read_tensors(data: bytes, name: str) -> dict[str, np.ndarray]:
    try:
        return load_tensors(data)
    except (SafetensorError, ValueError, KeyError, TypeError, OverflowError) as error:
        raise CheckpointError(f"The file {name} does not hold tensors; copy the checkpoint again.") from error


def load_all(folder: Path, variants: tuple[str, ...] | None = None, stage: str | None = None) -> dict[str, Checkpoint]:
    """The checkpoints of a folder by variant, in the order of `VARIANTS`; they must share vocabulary, encoder and stage."""
    folder = stage_folder(folder, stage)
    names = variants or tuple(name for name in VARIANTS if exists(folder / name))
    if not names:
        raise CheckpointError(
            f"There is no trained decoder in {folder}; it should hold folders named {', '.join(VARIANTS)}. "
            "Train them with python -m captioner train."
        )
    found = {name: load(folder / name) for name in names}
    first = next(iter(found.values()))
    for name, checkpoint in found.items():
        if checkpoint.variant != name:
            raise CheckpointError(f"The folder {name} holds the decoder '{checkpoint.variant}'; rename the folder.")
        if checkpoint.vocabulary.fingerprint != first.vocabulary.fingerprint or checkpoint.encoder != first.encoder:
            raise CheckpointError(
                f"The decoders {first.variant} and {name} come from different runs (their vocabulary or encoder differs); "
                "use three of one run."
            )
        if slots_of(checkpoint) != slots_of(first):
            raise CheckpointError(
                f"The decoders {first.variant} and {name} differ in their word slots (word_slots or slot_floor); "
                "use three of one run."
            )
        if checkpoint.stage != first.stage:
            raise CheckpointError(
                f"The decoders {first.variant} ({first.stage}) and {name} ({checkpoint.stage}) are of different stages of "
                "training; give each stage its own folder."
            )
    return found


def slots_of(checkpoint: Checkpoint) -> tuple[int, float]:
    """The number of its word slots and their floor."""
    return checkpoint.preset.decoder.word_slots, checkpoint.preset.decoder.slot_floor


def finished_history(folder: Path) -> dict[str, Any]:
    """The history of a finished training run, with its numbers checked."""
    history = read_json(Path(folder) / HISTORY)
    try:
        epochs, earlier, best = history["epochs"], history["earlier"], history["best_epoch"]
        figures = [float(epoch[name]) for epoch in epochs for name in ("train_loss", "dev_loss", "seconds", "learning_rate")]
        whole = type(earlier) is type(best) is int and 0 <= earlier < best <= len(epochs) and all(map(math.isfinite, figures))
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError):
        whole = False
    if not whole:
        raise CheckpointError(f"The {HISTORY} in {folder} is not that of a finished training; copy it again, or train it anew.")
    return history
