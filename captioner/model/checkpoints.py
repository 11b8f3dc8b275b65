"""A trained decoder as a folder: settings, vocabulary, word table and weights, checked by hash, name and shape on load.

The model is always built in code and the weights go in by name and shape; nothing from disk is ever run. The decoders of
several stages of training lie side by side, each stage in a folder of its own: `stage_folder` finds it.
"""

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load as load_tensors
from safetensors.numpy import save as save_tensors

from captioner.config import CONTROLS, FIRST, REWARD, STAGES, VARIANTS, Preset, find_stage, find_variant
from captioner.config_io import preset_from_json, to_json
from captioner.errors import CheckpointError, ConfigError, TriptychError
from captioner.storage import exists, load_folder, parse_json, read_json, save_folder
from captioner.vocabulary import Vocabulary
from embeddings.table import EmbeddingTable

if TYPE_CHECKING:
    from captioner.model.decoder import Decoder
    from captioner.vision.encoder import Encoder

FORMAT = 1
TABLE_WEIGHT = "decoder/table"  # A learned table is stored as a table, not among the weights.
CONFIG, HISTORY, SCORES = "config.json", "history.json", "scores.json"
_LARGEST_GRID = 16384
_HISTORY_DAMAGED = "The {} in {} is not that of a finished training; copy it again, or train this decoder anew."
_NEEDED = (CONFIG, "vocabulary.json", "decoder.safetensors", "table.json", "table.safetensors")

Told = TypeVar("Told")


@dataclass(frozen=True)
class EncoderMark:
    """Which encoder the decoder was trained with; another one's features would mean nothing to it."""

    name: str
    fingerprint: str
    rows: int
    columns: int
    channels: int

    @classmethod
    def of(cls, encoder: "Encoder") -> "EncoderMark":
        return cls(encoder.name, encoder.fingerprint, encoder.rows, encoder.columns, encoder.channels)

    @classmethod
    def from_json(cls, data: Any) -> "EncoderMark":
        mark = cls(**data)
        texts, sizes = (mark.name, mark.fingerprint), (mark.rows, mark.columns, mark.channels)
        sized = all(type(size) is int and 1 <= size <= _LARGEST_GRID for size in sizes)
        if not sized or not all(type(text) is str for text in texts):
            raise CheckpointError("config.json does not say which encoder it was, and of which sizes; copy the checkpoint again.")
        return mark


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """Everything needed to build one trained decoder again."""

    variant: str
    seed: int
    preset: Preset
    encoder: EncoderMark
    vocabulary: Vocabulary
    table: EmbeddingTable
    weights: Mapping[str, np.ndarray]
    extra: Mapping[str, bytes] = field(default_factory=dict)
    stage: str = FIRST

    def build(self) -> "Decoder":
        """The decoder with its weights, each put in by name after its shape was found right."""
        from captioner.model.decoder import Decoder

        frozen = find_variant(self.variant).frozen
        try:
            channels, regions = self.encoder.channels, self.encoder.rows * self.encoder.columns
            decoder = Decoder(self.preset.decoder, self.table.vectors, channels, frozen, regions=regions)
        except ConfigError as error:
            raise CheckpointError(f"The settings of {self.variant} do not fit its files: {error} Copy it again.") from error
        put_weights(decoder, self.weights, self.variant)
        return decoder


def put_weights(decoder: "Decoder", weights: Mapping[str, np.ndarray], variant: str) -> None:
    variables = {variable.path: variable for variable in decoder.weights if variable is not decoder.table}
    if set(variables) != set(weights):
        odd = sorted(set(variables) ^ set(weights))[0]
        raise CheckpointError(f"The weights of {variant} do not fit its settings: '{odd}' is on one side only; copy it again.")
    for name, variable in variables.items():
        value = weights[name]
        if value.shape != tuple(variable.shape):
            raise CheckpointError(
                f"The weight '{name}' of {variant} should have the shape {tuple(variable.shape)}, but has {value.shape}; "
                "copy the checkpoint again."
            )
        with np.errstate(over="ignore"):
            given = value.astype(np.float32)
        if value.dtype.kind != "f" or not np.isfinite(given).all():
            raise CheckpointError(f"The weight '{name}' of {variant} is not all finite decimal numbers; copy it again.")
        variable.assign(given)


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


def load(folder: Path) -> Checkpoint:
    """Read a checkpoint back; whatever does not fit is told in a sentence that names the file."""
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
    if vocabulary.fingerprint != config["vocabulary"] or table.words != vocabulary.words:
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
        stage=_stage(config),
    )


def _stage(config: Mapping[str, Any]) -> str:
    """The stage that a config names; before there were stages there was only the first."""
    return find_stage(config.get("stage", FIRST)).name


def read_tensors(data: bytes, name: str) -> dict[str, np.ndarray]:
    try:
        return load_tensors(data)
    except (SafetensorError, ValueError, KeyError, TypeError, OverflowError) as error:
        raise CheckpointError(f"The file {name} does not hold tensors; copy the checkpoint again.") from error


def stages_in(folder: Path) -> tuple[str, ...]:
    """The stages whose decoders lie in folders of their own in this one, in the order of training."""
    return tuple(name for name in STAGES if _decoders_in(folder / name))


def stage_folder(folder: Path, stage: str | None = None) -> Path:
    """Where the decoders of a stage lie: in the folder of that name, or in the folder itself where it holds such decoders.

    When no stage is asked for, it is the last one that is there.
    """
    folder, there = Path(folder), stages_in(folder)
    if there:
        chosen = stage or there[-1]
        if chosen in there:
            return folder / chosen
    else:
        there = tuple(dict.fromkeys(read_stage(folder / name) for name in _decoders_in(folder))) if stage else ()
        if not there or stage in there:
            return folder
    raise CheckpointError(_no_stage(folder, find_stage(str(stage)).name, there))


def _decoders_in(folder: Path) -> tuple[str, ...]:
    return tuple(name for name in (*VARIANTS, *CONTROLS) if exists(folder / name))


def _no_stage(folder: Path, stage: str, there: tuple[str, ...]) -> str:
    """What is there instead, and how to come by what is not."""
    train = "python -m captioner train" + f" --stage {REWARD} --from RUN" * (stage == REWARD)
    return (
        f"There are no decoders of the stage '{stage}' in {folder}, only of '{there[0]}'; "
        f"choose --stage {there[0]}, or train them with {train}."
    )


def read_stage(folder: Path) -> str:
    """The stage of the decoder in this folder, from its settings alone."""
    try:
        return _stage(read_json(folder / CONFIG))
    except (ConfigError, TypeError, AttributeError) as error:
        raise CheckpointError(f"The settings of {folder.name} name no stage of training ({error}); copy it again.") from error


def told_by_settings(folder: Path, tell: Callable[[Any], Told], otherwise: Told) -> Told:
    """What the settings of the first decoder in a folder say; what is wrong with them is told when the decoders are loaded."""
    configs = [folder / name / CONFIG for name in (*VARIANTS, *CONTROLS)]
    try:
        return tell(read_json(next(path for path in configs if path.is_file())))
    except (StopIteration, TriptychError, KeyError, TypeError):
        return otherwise


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
            raise CheckpointError(f"The folder {name} holds the decoder '{checkpoint.variant}'; give each its own name back.")
        if checkpoint.vocabulary.fingerprint != first.vocabulary.fingerprint or checkpoint.encoder != first.encoder:
            raise CheckpointError(
                f"The decoders {first.variant} and {name} come from different runs (their vocabulary or encoder differs); "
                "use three of one run."
            )
        if checkpoint.stage != first.stage:
            raise CheckpointError(
                f"The decoders {first.variant} ({first.stage}) and {name} ({checkpoint.stage}) are of different stages of "
                "training; give each stage a folder of its own."
            )
    return found


def _json(data: Any) -> bytes:
    return (json.dumps(data, indent=1) + "\n").encode()


def finished_history(folder: Path) -> dict[str, Any]:
    """The history of a decoder that has been trained, checked as far as anybody counts with it."""
    history = read_json(Path(folder) / HISTORY)
    try:
        epochs = history["epochs"]
        figures = [float(epoch[name]) for epoch in epochs for name in ("train_loss", "dev_loss", "seconds", "learning_rate")]
        places = (history["earlier"], history["best_epoch"])
        inside = 0 <= places[0] < places[1] <= len(epochs) and all(type(place) is int for place in places)
        whole = inside and all(map(math.isfinite, figures))
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise CheckpointError(_HISTORY_DAMAGED.format(HISTORY, folder)) from error
    if not whole:
        raise CheckpointError(_HISTORY_DAMAGED.format(HISTORY, folder))
    return history
