"""What several commands read out of their options in the same way: decoders, search setting, data set, folders."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from captioner.commands.arguments import Decoders, Files
from captioner.commands.report import note
from captioner.config import CONTROLS, JOINED, STANDARD, VARIANTS, SearchConfig, find_variant
from captioner.errors import ConfigError, TrainingError

if TYPE_CHECKING:
    from captioner.captioning.captioner import Captioner
    from captioner.data.datasets import Dataset
    from captioner.vision.encoder import Encoder

ALL = "all"
SEEN_DEV = f"These decoders were trained on the photographs of dev, too (--splits {JOINED})"


def variants(names: Sequence[str]) -> tuple[str, ...] | None:
    """The variants asked for, each once and in their usual order; None when it is all three."""
    try:
        asked = {find_variant(name).name for name in names if name != ALL}
    except ConfigError as error:
        raise ConfigError(f"{str(error).removesuffix('.')}, or {ALL}.") from error
    return None if ALL in names or not asked else tuple(name for name in (*VARIANTS, *CONTROLS) if name in asked)


def decoders(options: Files) -> Path:
    """Where the decoders of the stage asked for lie, or those of the last stage that is there."""
    from captioner.model.checkpoints import stage_folder

    return stage_folder(options.checkpoints, options.stage)


def trained_on_dev(options: Files, variants: tuple[str, ...] | None = None) -> bool:
    """Whether the photographs of dev are among those that the decoders asked for were trained on."""
    from captioner.training import provenance

    return provenance.trained_on_dev(decoders(options), variants)


def settings(given: Sequence[tuple[str, str]], option: str, name: str, value: int | None) -> dict[str, str]:
    """What --set gives, and what an option of its own gives for one setting; they must not contradict each other."""
    found = dict(given)
    if value is None:
        return found
    if name in found:
        raise ConfigError(f"{option} {value} and --set {name}={found[name]} are about the same setting; leave one of them out.")
    return found | {name: str(value)}


def refuse_without_data(data: str | None, **options: object) -> None:
    """Refuse options that say what to train with where nothing is trained, rather than ignore them."""
    given = [f"--{name.replace('_', '-')}" for name, value in options.items() if value]
    if given and not data:
        raise ConfigError(f"Without --data nothing is trained; give it, or leave out {' and '.join(given)}.")


def check_files(files: Sequence[Path | None]) -> None:
    """Tell of a file that is not there now, not after an hour of training the decoder before."""
    for file in files:
        if file is not None and not file.is_file():
            raise TrainingError(f"There is no file {file} to get word vectors from; check the path.")


def cache(folder: Path | None) -> Path:
    from captioner.vision.feature_cache import default_folder

    return folder or default_folder()


def dataset(data: str, splits: str = STANDARD) -> "Dataset":
    """The data set, split as was asked for, after telling what of it is left out."""
    from captioner.data.datasets import load, resplit

    found = resplit(load(data), splits)
    for line in found.notes:
        note(f"{found.name}: {line}")
    return found


def search_config(options: Files, beam: int | None, length_preference: float | None = None) -> SearchConfig:
    """The decoders' own setting, but for what the options say."""
    from captioner.scoring.evaluation import load_search_config

    config = load_search_config(decoders(options))
    if beam is not None:
        config = replace(config, beam=beam)
    if length_preference is not None:
        config = replace(config, length_preference=length_preference)
    return config


def captioner(options: Decoders, variants: tuple[str, ...] | None) -> "Captioner":
    """The decoders asked for, ready to caption."""
    from captioner.runtime import start_tensorflow

    start_tensorflow()
    from captioner.captioning.captioner import Captioner

    return Captioner.load(decoders(options), variants, weights=options.encoder_weights)


def encoder(name: str, weights: Path | None, near: Path) -> "Encoder":
    """The encoder of that name, with the weights that were given for it."""
    from captioner.vision.encoder import load_encoder
    from captioner.vision.keras_applications import KERAS

    return load_encoder(name, weights=weights or KERAS, near=near)
