"""Find the folders in which the decoders of each training stage lie, and read single settings there without loading weights."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from captioner.config import CONTROLS, FIRST, LITE2, REWARD, STAGES, VARIANTS, find_stage
from captioner.errors import CheckpointError, ConfigError, TriptychError
from captioner.storage import exists, read_json
from captioner.vision.keras_networks import input_size

CONFIG = "config.json"

Value = TypeVar("Value")


def stages_in(folder: Path) -> tuple[str, ...]:
    """The stages whose decoders lie in subfolders of this folder, in the order of training."""
    return tuple(name for name in STAGES if _decoders_in(folder / name))


def stage_folder(folder: Path, stage: str | None = None) -> Path:
    """The folder of a stage's decoders: the subfolder of that name, or the folder itself if it holds such decoders.

    Without a stage, the last one present.
    """
    folder, present = Path(folder), stages_in(folder)
    if present:
        chosen = stage or present[-1]
        if chosen in present:
            return folder / chosen
    else:
        present = tuple(dict.fromkeys(read_stage(folder / name) for name in _decoders_in(folder))) if stage else ()
        if not present or stage in present:
            return folder
    train = "python -m captioner train" + f" --stage {REWARD} --from RUN" * (find_stage(str(stage)).name == REWARD)
    raise CheckpointError(
        f"There are no decoders of the stage '{stage}' in {folder}, only of '{present[0]}'; "
        f"choose --stage {present[0]}, or train them with {train}."
    )


def _decoders_in(folder: Path) -> tuple[str, ...]:
    return tuple(name for name in (*VARIANTS, *CONTROLS) if exists(folder / name))


def read_stage(folder: Path) -> str:
    """The stage of the decoder in this folder, from its settings alone."""
    try:
        return stage_of(read_json(folder / CONFIG))
    except (ConfigError, TypeError, AttributeError) as error:
        raise CheckpointError(f"The settings of {folder.name} name no stage of training ({error}); copy it again.") from error


def stage_of(config: Mapping[str, Any]) -> str:
    """The stage that a config names; before there were stages there was only the first."""
    return find_stage(config.get("stage", FIRST)).name


def peek_settings(folder: Path, read: Callable[[Any], Value], default: Value) -> Value:
    """A value from the settings of the first decoder in a folder, or the default; loading the decoders reports damage."""
    configs = [folder / name / CONFIG for name in (*VARIANTS, *CONTROLS)]
    try:
        return read(read_json(next(path for path in configs if path.is_file())))
    except (StopIteration, TriptychError, KeyError, TypeError):
        return default


def picture_size(folder: Path) -> int:
    """The side of the square that the encoder of these decoders takes."""
    return peek_settings(folder, lambda config: input_size(config["encoder"]["name"]), input_size(LITE2))
