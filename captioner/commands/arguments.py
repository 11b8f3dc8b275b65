"""Options as fields of a command's `Request`, each declared once; and the fields that several commands share."""

import math
from argparse import ArgumentParser, ArgumentTypeError, Namespace
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, ClassVar, TypeVar

from captioner import config
from captioner.config import STAGES, VARIANTS

Kind = TypeVar("Kind", bound="Request")

RESUMABLE = "Interrupted. Re-run {} to continue from the last completed epoch."


def option(help: str, metavar: str | None = None, **settings: Any) -> Any:
    """A field that an option of its name fills; `settings` are argparse's, or another `flag`, or the title of a `group`."""
    return field(metadata={"help": help, "metavar": metavar, **settings})


def path(help: str, metavar: str = "DIR", **settings: Any) -> Any:
    return option(help, metavar, type=Path, **settings)


def repeatable(help: str, metavar: str, **settings: Any) -> Any:
    return option(help, metavar, action="append", default=[], **settings)


def switch(help: str, **settings: Any) -> Any:
    return field(metadata={"help": help, "action": "store_true", **settings})


def number(kind: type[float], least: float, most: float = math.inf) -> Callable[[str], float]:
    """A type for argparse: a number of this kind within these bounds."""

    def read(text: str) -> float:
        try:
            value = kind(text)
        except ValueError:
            value = math.nan
        if not least <= value <= most:
            bounds = f"of at least {least}" if most == math.inf else f"from {least} to {most}"
            raise ArgumentTypeError(f"expected {'an integer' if kind is int else 'a number'} {bounds}, received {text!r}")
        return value

    return read


def setting(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not (name and equals and value):
        raise ArgumentTypeError(f"expected NAME=VALUE, received {text!r}")
    return name, value


def data(more: str = "", **settings: Any) -> Any:
    folder = f"folder of a data set: Flickr8k, COCO, captions by split; or shapes (generated, no files needed){more}"
    return option(folder, "DIR", **{"required": True} | settings)


def datasets(more: str = "", **settings: Any) -> Any:
    return data(f"; repeatable, for several data sets together{more}", action="append", **settings)


def checkpoints(help: str = "folder of trained decoders (default: the shipped ones)") -> Any:
    return path(help, default=config.SHIPPED)


def encoder_weights(**settings: Any) -> Any:
    weights = "weights of a keras.applications CNN without its classifier, .weights.h5 or .h5 (default: downloaded by Keras)"
    return path(weights, "FILE", **settings)


def variants(more: str = "") -> Any:
    names = f"{', '.join(VARIANTS)} or all; repeatable (default: all){more}"
    return repeatable(names, "NAME")


def beam() -> Any:
    return option("beam size (default: the decoders' own)", "N", type=number(int, 1, 50))


def cache() -> Any:
    return path("folder of the feature cache (default: TRIPTYCH_CACHE, or triptych in the user's cache folder)")


def seed() -> Any:
    help = "random seed; equal seeds give equal weights (default: 1)"
    return option(help, "N", type=number(int, 0, 2**31 - 1), default=1)


def settings(example: str) -> Any:
    help = f"override a setting, such as {example}; repeatable"
    return repeatable(help, "NAME=VALUE", flag="--set", type=setting)


@dataclass(frozen=True, kw_only=True)
class Request:
    """The options of every command; a command's own `Request` adds the others."""

    description: ClassVar[str] = ""  # The command's summary, unless it needs more words.
    interrupted: ClassVar[str] = "Interrupted."
    json: bool = switch("print JSON, for programs")


@dataclass(frozen=True, kw_only=True)
class Files(Request):
    """A choice of decoders that are only read."""

    checkpoints: Path = checkpoints()
    stage: str | None = option("stage of training, if the folder holds several (default: the last)", choices=tuple(STAGES))


@dataclass(frozen=True, kw_only=True)
class Decoders(Files):
    """A choice of decoders that caption, which need the CNN as well."""

    encoder_weights: Path | None = encoder_weights()


def add_options(parser: ArgumentParser, request: type[Request]) -> None:
    """Add an option for each field, a request's own before those that it shares."""
    groups: dict[str, Any] = {"": parser}
    for item in sorted(fields(request), key=lambda item: item.name not in vars(request).get("__annotations__", ())):
        declared = {"flag": f"--{item.name.replace('_', '-')}", "group": ""} | item.metadata
        flag, title = declared.pop("flag"), declared.pop("group")
        if title not in groups:
            groups[title] = parser.add_argument_group(title)
        names = {"dest": item.name} if flag.startswith("-") else {}
        groups[title].add_argument(flag, **names, **declared)


def read(kind: type[Kind], options: Namespace) -> Kind:
    """The parsed options as a request, whose fields have the options' names."""
    return kind(**{item.name: getattr(options, item.name) for item in fields(kind)})
