"""The settings of a run's decoders in words, their parameter counts and training histories.

Of the weight files only the heads are read, so this does not need the weights.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

from captioner.config import FIRST, REWARD, VARIANTS, DecoderConfig, Preset, Variant, find_variant
from captioner.config_io import preset_from_json
from captioner.errors import CheckpointError, ConfigError
from captioner.figures.curves.histories import History, read_history
from captioner.model.blueprint import BLOCKS, TABLE_WEIGHT, Parameters, count_parameters
from captioner.model.checkpoints import HISTORY, EncoderMark
from captioner.model.stage_folders import CONFIG, read_stage
from captioner.storage import read_json
from captioner.vocabulary import SPECIAL_WORDS

_ENTRIES = {
    "attention": "looked at part by part, before each word (attention)",
    "merge": "joined to the sentence before each word (merge)",
    "init": "the decoder's first thought (init)",
    "pre": "the first word of the sentence (pre)",
}
# The switches of older recipes, each where it is moved.
_MOVED = {
    ("attention", "additive"): "additive attention, before the LSTM reads a word",
    ("pooling", "blocks"): f"the means of {BLOCKS} blocks of the photograph, end to end, in place of one mean",
    ("image_norm", "batch"): "batch normalisation of the photograph’s numbers",
    ("activation", "relu"): "ReLU in place of tanh in the LSTM",
    ("dropout_at", "words"): "dropout of the words’ vectors and the photograph alone",
}


@dataclass(frozen=True)
class Settings:
    """One decoder: the settings it was trained with, and its numbers (parameters), which training moves or leaves alone."""

    variant: Variant
    seed: int
    preset: Preset
    encoder: EncoderMark
    words: int
    parameters: Parameters
    stage: str = FIRST


def read_all(folder: Path) -> tuple[list[Settings], list[CheckpointError]]:
    """The settings of a run's finished decoders; one that is still in training has none yet."""
    found, problems = [], []
    for name in VARIANTS:
        if os.path.isfile(folder / name / CONFIG):
            try:
                found.append(read_settings(folder / name))
            except CheckpointError as error:
                problems.append(error)
    return found, problems


def read_settings(folder: Path) -> Settings:
    variant = VARIANTS[folder.name]
    shapes = _weight_shapes(folder)
    try:
        config = read_json(folder / CONFIG)
        preset, encoder = preset_from_json(config["preset"]), EncoderMark.from_json(config["encoder"])
        (_, words), seed = shapes["words/kernel"], int(config["seed"])  # The table may have more rows, for word slots.
    except (KeyError, TypeError, ValueError, ConfigError) as error:
        raise CheckpointError(f"The settings of {variant.title} in {folder} cannot be read; copy them again.") from error
    parameters = count_parameters(shapes, variant.frozen)
    return Settings(variant, seed, preset, encoder, words - len(SPECIAL_WORDS), parameters, read_stage(folder))


@dataclass(frozen=True)
class Facts:
    """The parameter count and the history of a decoder; None if it cannot be read."""

    parameters: Parameters | None = None
    history: History | None = None


def read_facts(folder: Path) -> tuple[Facts, list[CheckpointError]]:
    """The facts about the decoder in this folder, and an error for each that cannot be read."""
    problems: list[CheckpointError] = []

    def tried(read: Callable[[Path], Any]) -> Any:
        try:
            return read(folder)
        except CheckpointError as error:
            problems.append(error)
            return None

    return Facts(tried(read_parameters), tried(lambda place: read_history(place / HISTORY))), problems


def read_parameters(folder: Path) -> Parameters:
    """The parameters of the decoder in this folder, which is named after its variant."""
    return count_parameters(_weight_shapes(folder), find_variant(folder.name).frozen)


def _weight_shapes(folder: Path) -> dict[str, tuple[int, ...]]:
    """The shape of each weight and of the word table, by name."""
    weights, table = (_tensor_shapes(folder / f"{name}.safetensors") for name in ("decoder", "table"))
    return weights | {TABLE_WEIGHT: table.get("vectors", ())}


def _tensor_shapes(path: Path) -> dict[str, tuple[int, ...]]:
    """The names and shapes of a file's tensors, from its head."""
    try:
        with safe_open(path, "np") as file:
            return {name: tuple(file.get_slice(name).get_shape()) for name in file.keys()}
    except (SafetensorError, OSError) as error:
        raise CheckpointError(f"The file {path.name} of {path.parent.name} does not hold tensors; copy it again.") from error


def moved(config: DecoderConfig) -> tuple[str, ...]:
    """The switches of older recipes that are moved, in words; without attention its kind makes no difference."""
    found = {switch: told for switch, told in _MOVED.items() if getattr(config, switch[0]) == switch[1]}
    return tuple(told for (name, _), told in found.items() if name != "attention" or config.additive)


def shape_in_words(config: DecoderConfig) -> str:
    """What a decoder is built like, in one line."""
    layers = "one layer" if config.layers == 1 else f"{config.layers} layers"
    shape = f"the photograph enters by {config.image_entry}; {layers} of {config.units:,} units; dropout {config.dropout:g}"
    return "; ".join((shape, *moved(config), *([f"{config.word_slots} word slots"] if config.word_slots else [])))


def in_words(settings: list[Settings]) -> list[tuple[str, str]]:
    """Names and values of the settings; where the decoders differ, each one's value with its name."""
    rows = [dict(_rows(each)) for each in settings]
    return [(name, _joined(name, rows, settings)) for name in dict.fromkeys(name for row in rows for name in row)]


def _joined(name: str, rows: list[dict[str, str]], settings: list[Settings]) -> str:
    values = [row.get(name, "none") for row in rows]
    if len(set(values)) == 1:
        return values[0]
    return ", ".join(f"{each.variant.title} {value}" for each, value in zip(settings, values, strict=True))


def _rows(settings: Settings) -> list[tuple[str, str]]:
    decoder, schedule, encoder = settings.preset.decoder, settings.preset.schedule(settings.stage), settings.encoder
    return [
        ("Recipe (preset)", settings.preset.name),
        ("What looks (encoder)", f"{encoder.name}: {encoder.rows} × {encoder.columns} places, {encoder.channels:,} numbers each"),
        ("The photograph is", _ENTRIES.get(decoder.image_entry, decoder.image_entry)),
        ("Words it knows", f"{settings.words:,}"),
        ("Numbers per word (dimensions)", f"{decoder.embedding_dimensions:,}"),
        ("Memory (LSTM units)", f"{decoder.units:,}" + f" in each of {decoder.layers} layers" * (decoder.layers > 1)),
        *_moved_row(decoder),
        *_slots_row(decoder),
        ("Largest step (learning rate)", f"{schedule.learning_rate:g}"),
        ("Photographs per step (batch)", f"{schedule.images_per_batch:,}"),
        *_share_row(schedule.other_share),
        *_own_rows(settings),
        ("Weight decay", f"{schedule.weight_decay:g}"),
        ("At most", f"{schedule.epochs} epochs; stops after {schedule.patience} without a better one"),
        ("Seed", str(settings.seed)),
    ]


def _moved_row(decoder: DecoderConfig) -> list[tuple[str, str]]:
    told = moved(decoder)
    return [("Otherwise than usual", "; ".join(told))] if told else []


def _slots_row(decoder: DecoderConfig) -> list[tuple[str, str]]:
    told = f"{decoder.word_slots}, each with a strength of at least {decoder.slot_floor:g}"
    return [("Nouns that the CNN names (word slots)", told)] if decoder.word_slots else []


def _share_row(share: float) -> list[tuple[str, str]]:
    return [("Photographs of further data sets", f"shown {share:g} times an epoch")] if share != 1 else []


def _own_rows(settings: Settings) -> list[tuple[str, str]]:
    """What only the stage that the decoder has come to knows."""
    decoder, training, reward = settings.preset.decoder, settings.preset.training, settings.preset.reward
    if settings.stage == REWARD:
        return [
            ("Captions drawn per photograph", str(reward.samples)),
            ("Scores of words divided by (temperature)", f"{reward.temperature:g}"),
            *([("Reward less for a repetition or a cut-off end", f"{reward.flaw_penalty:g}")] if reward.flaw_penalty else []),
            ("Left out by chance (dropout)", f"of the photograph {reward.feature_dropout:g}"),
        ]
    read = f"{training.sentences} sentences of the extra text, with their nouns in word slots"
    return [
        *([("Beside the photographs of a step", read)] if training.sentences else []),
        *([("Shortest caption", f"{training.shortest_caption} words")] if training.shortest_caption > 1 else []),
        ("Left out by chance (dropout)", f"{decoder.dropout:g}; of the photograph {decoder.feature_dropout:g}"),
        ("Label smoothing", f"{training.label_smoothing:g}"),
    ]
