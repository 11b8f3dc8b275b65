"""What several commands read out of their options in the same way: decoders, search setting, data set, folders."""

from argparse import Namespace
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from captioner.commands.report import note
from captioner.config import CONTROLS, JOINED, STANDARD, VARIANTS, SearchConfig, find_variant
from captioner.errors import ConfigError, TrainingError

if TYPE_CHECKING:
    from captioner.captioning.captioner import Captioner
    from captioner.data.datasets import Dataset
    from captioner.vision.encoder import Encoder

ALL = "all"
SEEN_DEV = f"These decoders were trained on the photographs of dev, too (--splits {JOINED})"


def variants(options: Namespace) -> tuple[str, ...] | None:
    """The variants asked for, each once and in their usual order; None when it is all three."""
    names = [name for name in options.variant if name != ALL]
    try:
        asked = {find_variant(name).name for name in names}
    except ConfigError as error:
        raise ConfigError(f"{str(error).removesuffix('.')}, or {ALL}.") from error
    return None if ALL in options.variant or not asked else tuple(name for name in (*VARIANTS, *CONTROLS) if name in asked)


def checkpoints(options: Namespace) -> Path:
    from captioner.config import SHIPPED

    return options.checkpoints or SHIPPED


def decoders(options: Namespace) -> Path:
    """Where the decoders of the stage asked for lie, or those of the last stage that is there."""
    from captioner.model.checkpoints import stage_folder

    return stage_folder(checkpoints(options), options.stage)


def trained_on_dev(options: Namespace) -> bool:
    """Whether the photographs of dev are among those that the decoders asked for were trained on."""
    from captioner.training import provenance

    return provenance.trained_on_dev(decoders(options), variants(options) if "variant" in options else None)


def settings(options: Namespace, option: str, name: str) -> dict[str, str]:
    """What --set says, and what an option of its own says of one setting; which of two is meant nobody can tell."""
    found, value = dict(options.settings), getattr(options, option)
    if value is None:
        return found
    if name in found:
        raise ConfigError(f"--{option} {value} and --set {name}={found[name]} are about the same setting; leave one of them out.")
    return found | {name: str(value)}


def refuse_without_data(options: Namespace, *names: str) -> None:
    """Tell of options that say what to train with, where nothing is trained; they would be dropped without a word."""
    given = [f"--{name.replace('_', '-')}" for name in names if getattr(options, name)]
    if given and not options.data:
        raise ConfigError(f"Without --data nothing is trained; give it, or leave out {' and '.join(given)}.")


def check_files(files: Sequence[Path | None]) -> None:
    """Tell of a file that is not there now, not after an hour of training the decoder before."""
    for file in files:
        if file is not None and not file.is_file():
            raise TrainingError(f"There is no file {file} to get word vectors from; check the path.")


def cache(options: Namespace) -> Path:
    from captioner.vision.feature_cache import default_folder

    return options.cache or default_folder()


def dataset(options: Namespace) -> "Dataset":
    """The data set, split as was asked for, after telling what of it is left out."""
    from captioner.data.datasets import load, resplit

    found = resplit(load(options.data), getattr(options, "splits", STANDARD))
    for line in found.notes:
        note(f"{found.name}: {line}")
    return found


def search_config(options: Namespace) -> SearchConfig:
    """The decoders' own setting, but for what the options say."""
    from captioner.scoring.evaluation import load_search_config

    config = load_search_config(decoders(options))
    if options.beam is not None:
        config = replace(config, beam=options.beam)
    if getattr(options, "length_preference", None) is not None:
        config = replace(config, length_preference=options.length_preference)
    return config


def captioner(options: Namespace) -> "Captioner":
    """The decoders asked for, ready to caption."""
    from captioner.runtime import start_tensorflow

    start_tensorflow()
    from captioner.captioning.captioner import Captioner

    return Captioner.load(decoders(options), variants(options), weights=options.encoder_weights)


def encoder(options: Namespace, name: str, near: Path) -> "Encoder":
    """The encoder of that name, with the weights that were given for it."""
    from captioner.vision.encoder import load_encoder
    from captioner.vision.keras_applications import KERAS

    return load_encoder(name, weights=options.encoder_weights or KERAS, near=near)
