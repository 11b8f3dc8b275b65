"""Search settings of a folder of decoders: chosen on dev, or from their preset."""

from dataclasses import dataclass, replace
from pathlib import Path

from captioner.captioning.beam_search import check
from captioner.config import SearchConfig
from captioner.config_io import preset_from_json
from captioner.model.stage_folders import peek_settings
from captioner.storage import read_as

SEARCH = "search.json"


@dataclass(frozen=True)
class _Chosen:
    beam: int
    length_preference: float


def load_search_config(folder: Path) -> SearchConfig:
    """The settings chosen for these decoders, or their preset's if none were chosen."""
    path, config = Path(folder) / SEARCH, preset_search_config(folder)
    if path.is_file():
        config = replace(config, **vars(read_as(path, _Chosen, "copy it again or choose anew")))
        check(config)
    return config


def preset_search_config(folder: Path) -> SearchConfig:
    """The settings of the preset that the decoders were trained with."""
    return peek_settings(Path(folder), lambda config: preset_from_json(config["preset"]).search, SearchConfig())
