"""Settings as people write them and as files store them, checked by name and type against the dataclasses of `config`."""

import dataclasses
import math
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from captioner.config import REWARD, Preset, RewardConfig
from captioner.errors import CheckpointError, ConfigError
from captioner.storage import parse_as


def changed(preset: Preset, stage: str, settings: Mapping[str, str]) -> Preset:
    """The preset with some settings changed, given as text, of its decoder, its vectors or a stage of training.

    >>> changed(Preset("mine"), "first", {"dropout": "0.4", "epochs": "3"}).training.epochs
    3
    """
    parts = {name: getattr(preset, name) for name in ((REWARD,) if stage == REWARD else ("decoder", "embedding", "training"))}
    # The vectors have epochs too; a name that two parts share means the stage's.
    owners = {item.name: name for name, part in parts.items() for item in dataclasses.fields(part)}
    _check_names(settings, owners)
    own = {name: {key: text for key, text in settings.items() if owners[key] == name} for name in parts}
    return dataclasses.replace(preset, **{name: with_settings(part, own[name]) for name, part in parts.items()})


def with_settings(config: Any, settings: Mapping[str, str]) -> Any:
    """A config with some settings changed, given as text."""
    _check_names(settings, {item.name for item in dataclasses.fields(config)})
    values = {name: _from_text(getattr(config, name), name, text) for name, text in settings.items()}
    return dataclasses.replace(config, **values)


def _check_names(settings: Mapping[str, str], known: Collection[str]) -> None:
    for name in settings:
        if name not in known:
            raise ConfigError(f"There is no setting '{name}'; choose one of {', '.join(sorted(known))}.")


def _from_text(present: Any, name: str, text: str) -> Any:
    try:
        value = type(present)(text)
    except ValueError:
        value = math.nan
    if isinstance(value, float) and not math.isfinite(value):
        kind = {int: "a whole number", float: "a number"}.get(type(present), "a word")
        raise ConfigError(f"The setting '{name}' is {kind} such as {present}, not {text!r}.")
    return value


def to_json(config: Any) -> dict[str, Any]:
    """A config as plain data, as checkpoints store it; a switch is included only if it differs from its default."""
    values = {item: getattr(config, item.name) for item in dataclasses.fields(config)}
    kept = {item: value for item, value in values.items() if not (item.metadata.get("switch") and value == _default(item))}
    return {
        item.metadata.get("stored", item.name): to_json(value) if dataclasses.is_dataclass(value) else value
        for item, value in kept.items()
    }


def _with_field_names(data: Any) -> Any:
    """Stored data with the names of fields in place of those under which files keep them."""
    fields = {item.metadata["stored"]: item.name for item in dataclasses.fields(RewardConfig) if "stored" in item.metadata}
    if not isinstance(data, Mapping):
        return data
    return {fields.get(name, name): _with_field_names(value) for name, value in data.items()}


def _default(item: dataclasses.Field) -> Any:
    return item.default_factory() if item.default_factory is not dataclasses.MISSING else item.default


def preset_from_json(data: Any) -> Preset:
    """Read a preset back, rejecting unknown names, missing names and wrong types."""
    data = _with_field_names(data)
    preset = parse_as(data, Preset, "The preset", exact=True)
    for name in _missing(preset, data):
        raise CheckpointError(f"The preset: '{name}' is missing; copy it again.")
    return preset


def _missing(config: Any, data: Mapping[str, Any], place: str = "") -> Iterator[str]:
    """The settings that are not in the data, except those that did not exist in earlier versions."""
    for item in dataclasses.fields(config):
        value = getattr(config, item.name)
        if item.name not in data and not item.metadata.get("later"):
            yield place + item.name
        elif item.name in data and dataclasses.is_dataclass(value):
            yield from _missing(value, data[item.name], f"{place}{item.name}.")
