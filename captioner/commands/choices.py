"""What several commands load from their arguments: decoders, search setting, data set, feature cache."""

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

ALL = "all"
TRAINED_ON_DEV = f"These decoders were also trained on the dev photographs (--splits {JOINED})"


def variants(names: Sequence[str]) -> tuple[str, ...] | None:
    """The variants, each once and in their usual order; None for all three."""
    try:
        asked = {find_variant(name).name for name in names if name != ALL}
    except ConfigError as error:
        raise ConfigError(f"{str(error).removesuffix('.')}, or {ALL}.") from error
    return None if ALL in names or not asked else tuple(name for name in (*VARIANTS, *CONTROLS) if name in asked)


def decoders(request: Files) -> Path:
    """The folder of the decoders of the requested stage, by default the last one."""
    from captioner.model.stage_folders import stage_folder

    return stage_folder(request.checkpoints, request.stage)


def trained_on_dev(request: Files, variants: tuple[str, ...] | None = None) -> bool:
    """Whether the decoders were trained on the dev photographs as well."""
    from captioner.training import provenance

    return provenance.trained_on_dev(decoders(request), variants)


def settings(given: Sequence[tuple[str, str]], option: str, name: str, value: int | None) -> dict[str, str]:
    """The settings of --set, with one that has an option of its own; giving both is an error."""
    found = dict(given)
    if value is None:
        return found
    if name in found:
        raise ConfigError(f"{option} {value} and --set {name}={found[name]} are the same setting. Leave one of them out.")
    return found | {name: str(value)}


def refuse_without_data(data: Sequence[str] | None, **options: object) -> None:
    """Refuse training options without data, instead of ignoring them."""
    given = [f"--{name.replace('_', '-')}" for name, value in options.items() if value]
    if given and not data:
        raise ConfigError(f"Nothing is trained without --data. Add it, or leave out {' and '.join(given)}.")


def check_files(files: Sequence[Path | None]) -> None:
    """Fail now if a file is missing, not after an hour of training."""
    for file in files:
        if file is not None and not file.is_file():
            raise TrainingError(f"There is no file {file} with text or word vectors. Check the path.")


def cache(folder: Path | None) -> Path:
    from captioner.vision.feature_cache import default_folder

    return folder or default_folder()


def datasets(folders: Sequence[str]) -> list["Dataset"]:
    """The data sets, of which none may be given twice; prints a note about each omission."""
    from captioner.data.datasets import join, load

    found = [load(folder) for folder in folders]
    together = join(found)
    for line in together.notes:
        note(f"{together.name}: {line}")
    return found


def dataset(folders: Sequence[str], splits: str = STANDARD) -> "Dataset":
    """The data sets as one in the requested splits."""
    from captioner.data.datasets import join, resplit

    return resplit(join(datasets(folders)), splits)


def search_config(request: Files, beam: int | None, length_preference: float | None = None) -> SearchConfig:
    """The decoders' own search setting, overridden by the given values."""
    from captioner.captioning.search_settings import load_search_config

    config = load_search_config(decoders(request))
    if beam is not None:
        config = replace(config, beam=beam)
    if length_preference is not None:
        config = replace(config, length_preference=length_preference)
    return config


def captioner(request: Decoders, variants: tuple[str, ...] | None) -> "Captioner":
    """The requested decoders, ready to caption."""
    from captioner.captioning.captioner import Captioner

    return Captioner.load(decoders(request), variants, weights=request.encoder_weights)
