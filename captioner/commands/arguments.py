"""Arguments that several commands share, the requests that they are read into, and the types of their values.

A command declares its own arguments in its module, next to its own `Request`.
"""

import math
from argparse import ArgumentParser, ArgumentTypeError, Namespace
from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TypeVar

from captioner import config
from captioner.config import STAGES, VARIANTS

Kind = TypeVar("Kind")

INTERRUPTED = "Interrupted."
RESUMABLE = "Interrupted. Re-run {} to continue from the last completed epoch."
SHIPPED_HELP = "folder of trained decoders (default: the shipped ones)"


@dataclass(frozen=True, kw_only=True)
class Request:
    """The argument of every command; a command's own `Request` adds the others."""

    json: bool


@dataclass(frozen=True, kw_only=True)
class Files:
    """The arguments of `files`."""

    checkpoints: Path
    stage: str | None


@dataclass(frozen=True, kw_only=True)
class Decoders(Files):
    """The arguments of `decoders`."""

    encoder_weights: Path | None


def read(kind: type[Kind], options: Namespace) -> Kind:
    """The parsed options as a request, whose fields have the options' names."""
    return kind(**{item.name: getattr(options, item.name) for item in fields(kind)})


def data(parser: ArgumentParser, more: str = "", required: bool = True) -> None:
    folder = f"folder of Flickr8k or COCO captions, or shapes (generated pictures, no files needed){more}"
    parser.add_argument("--data", required=required, metavar="DIR", help=folder)


def decoders(parser: ArgumentParser) -> None:
    """Add the choice of decoders that caption, which need the CNN as well."""
    files(parser)
    encoder_weights(parser)


def files(parser: ArgumentParser) -> None:
    """Add the choice of decoders that are only read."""
    checkpoints(parser)
    stage = "stage of training, if the folder holds several (default: the last)"
    parser.add_argument("--stage", choices=tuple(STAGES), help=stage)


def checkpoints(parser: ArgumentParser, what: str = SHIPPED_HELP) -> None:
    parser.add_argument("--checkpoints", type=Path, default=config.SHIPPED, metavar="DIR", help=what)


def encoder_weights(parser: ArgumentParser) -> None:
    weights = "weights of a keras.applications CNN without its classifier, .weights.h5 or .h5 (default: downloaded by Keras)"
    parser.add_argument("--encoder-weights", type=Path, metavar="FILE", help=weights)


def variants(parser: ArgumentParser, more: str = "") -> None:
    names = f"{', '.join(VARIANTS)} or all; repeatable (default: all){more}"
    parser.add_argument("--variant", action="append", default=[], metavar="NAME", help=names)


def beam(parser: ArgumentParser) -> None:
    parser.add_argument("--beam", type=number(int, 1, 50), metavar="N", help="beam size (default: the decoders' own)")


def cache(parser: ArgumentParser) -> None:
    folder = "folder of the feature cache (default: TRIPTYCH_CACHE, or triptych in the user's cache folder)"
    parser.add_argument("--cache", type=Path, metavar="DIR", help=folder)


def seed_and_settings(parser: ArgumentParser, example: str) -> None:
    seeds, help = number(int, 0, 2**31 - 1), "random seed; equal seeds give equal weights (default: 1)"
    parser.add_argument("--seed", type=seeds, default=1, metavar="N", help=help)
    settings(parser, example)


def settings(parser: ArgumentParser, example: str) -> None:
    help = f"override a setting, such as {example}; repeatable"
    parser.add_argument("--set", type=setting, action="append", default=[], dest="settings", metavar="NAME=VALUE", help=help)


def setting(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not (name and equals and value):
        raise ArgumentTypeError(f"expected NAME=VALUE, received {text!r}")
    return name, value


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
