"""Settings as people write them and as files keep them: checked by name and type against the dataclasses of `config`."""

import dataclasses
import math
from collections.abc import Mapping
from typing import Any

from captioner.config import REWARD, Preset
from captioner.errors import ConfigError


def changed(preset: Preset, stage: str, settings: Mapping[str, str]) -> Preset:
    """The preset with some settings, named and given as text, of its decoder, its vectors or that stage of training.

    >>> changed(Preset("mine"), "first", {"dropout": "0.4", "epochs": "3"}).training.epochs
    3
    """
    parts = {name: getattr(preset, name) for name in ((REWARD,) if stage == REWARD else ("decoder", "embedding", "training"))}
    for name, text in settings.items():
        # The vectors have epochs too; of two settings of a name the one of the stage is meant.
        owner = next((part for part in reversed(parts) if hasattr(parts[part], name)), None)
        if owner is None:
            known = sorted({item.name for part in parts.values() for item in dataclasses.fields(part)})
            raise ConfigError(f"There is no setting '{name}'; choose one of {', '.join(known)}.")
        parts[owner] = dataclasses.replace(parts[owner], **{name: _from_text(getattr(parts[owner], name), name, text)})
    return dataclasses.replace(preset, **parts)


def with_settings(config: Any, settings: Mapping[str, str]) -> Any:
    """One table of settings with some of them changed, named and given as text."""
    known = sorted(item.name for item in dataclasses.fields(config))
    unknown = next((name for name in settings if name not in known), None)
    if unknown:
        raise ConfigError(f"There is no setting '{unknown}'; choose one of {', '.join(known)}.")
    values = {name: _from_text(getattr(config, name), name, text) for name, text in settings.items()}
    return dataclasses.replace(config, **values)


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
    """A config as plain data, the way it is stored inside a checkpoint; a switch is named only where it is moved."""
    values = {item: getattr(config, item.name) for item in dataclasses.fields(config)}
    said = {item.name: value for item, value in values.items() if not (item.metadata.get("unsaid") and value == _default(item))}
    return {name: to_json(value) if dataclasses.is_dataclass(value) else value for name, value in said.items()}


def preset_from_json(data: Any) -> Preset:
    """Read a preset back, refusing names and types that this version does not know."""
    return _from_json(Preset, data, "preset")


def _from_json(kind: type, data: Any, where: str) -> Any:
    if not isinstance(data, dict):
        raise ConfigError(f"The {where} settings should be a table of names and values, but are {type(data).__name__}.")
    fields = {item.name: item for item in dataclasses.fields(kind)}
    unknown = sorted(set(data) - set(fields))
    missing = sorted(name for name, item in fields.items() if name not in data and not item.metadata.get("later"))
    if unknown or missing:
        wrong = f"'{unknown[0]}' is not known" if unknown else f"'{missing[0]}' is missing"
        raise ConfigError(f"The {where} settings do not fit this version of the program: {wrong}.")
    return kind(**{name: _value(fields[name], value, where) for name, value in data.items()})


def _value(item: dataclasses.Field, value: Any, where: str) -> Any:
    default = _default(item)
    if dataclasses.is_dataclass(default):
        return _from_json(type(default), value, item.name)
    expected = str if default is dataclasses.MISSING else type(default)
    if expected is float and type(value) is int:
        return float(value)
    if type(value) is not expected:
        raise ConfigError(f"The {where} setting '{item.name}' should be of type {expected.__name__}, but is {value!r}.")
    return value


def _default(item: dataclasses.Field) -> Any:
    return item.default_factory() if item.default_factory is not dataclasses.MISSING else item.default
