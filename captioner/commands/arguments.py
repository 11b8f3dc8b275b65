"""The arguments that several commands share, what they hold once parsed, and the kinds of values they take.

A command's own arguments are declared in its module, next to the `Request` that they are read into.
"""

import argparse
import math
from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TypeVar

from captioner import config
from captioner.config import STAGES, VARIANTS

Kind = TypeVar("Kind")

_VARIANTS = f"{', '.join(VARIANTS)} or all; may be given several times (default: all)"
GOES_ON = "Interrupted; the same command{} goes on after the last finished epoch, if there is one."
SHIPPED_HELP = "the folder of trained decoders (default: those that come with the program)"


@dataclass(frozen=True, kw_only=True)
class Request:
    """What every command is asked; a command's own `Request` adds its arguments."""

    json: bool


@dataclass(frozen=True, kw_only=True)
class Files:
    """Which trained decoders: what `files` declares."""

    checkpoints: Path
    stage: str | None


@dataclass(frozen=True, kw_only=True)
class Decoders(Files):
    """Which trained decoders and weights of the CNN: what `decoders` declares."""

    encoder_weights: Path | None


def read(kind: type[Kind], options: argparse.Namespace) -> Kind:
    """The parsed options as a request of this kind, whose fields have the options' names."""
    return kind(**{item.name: getattr(options, item.name) for item in fields(kind)})


def data(command: argparse.ArgumentParser, more: str, required: bool = True) -> None:
    command.add_argument("--data", required=required, metavar="DIR", help=f"a folder of Flickr8k or of COCO captions, {more}")


def decoders(command: argparse.ArgumentParser) -> None:
    """For decoders that are to caption, which takes the CNN too."""
    files(command)
    encoder_weights(command)


def files(command: argparse.ArgumentParser) -> None:
    checkpoints(command)
    stage = "of which stage of training, where the folder holds several (default: the last one)"
    command.add_argument("--stage", choices=tuple(STAGES), help=stage)


def checkpoints(command: argparse.ArgumentParser, what: str = SHIPPED_HELP) -> None:
    command.add_argument("--checkpoints", type=Path, default=config.SHIPPED, metavar="DIR", help=what)


def encoder_weights(command: argparse.ArgumentParser) -> None:
    weights = "weights of a CNN of keras.applications, .weights.h5 or .h5, without its classifier (default: Keras fetches them)"
    command.add_argument("--encoder-weights", type=Path, metavar="FILE", help=weights)


def variants(command: argparse.ArgumentParser, more: str = "") -> None:
    command.add_argument("--variant", action="append", default=[], metavar="NAME", help=_VARIANTS + more)


def beam(command: argparse.ArgumentParser) -> None:
    beam = "captions that are followed at once (default: the decoders' own)"
    command.add_argument("--beam", type=number(int, 1, 50), metavar="N", help=beam)


def cache(command: argparse.ArgumentParser) -> None:
    folder = "where features are kept (default: TRIPTYCH_CACHE, or triptych in the user's cache folder)"
    command.add_argument("--cache", type=Path, metavar="DIR", help=folder)


def setting(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not (name and equals and value):
        raise argparse.ArgumentTypeError(f"a setting is given as NAME=VALUE, but {text!r} was given")
    return name, value


def number(kind: type[float], least: float, most: float = math.inf) -> Callable[[str], float]:
    """A type for argparse: a number of this kind within these bounds."""

    def read(text: str) -> float:
        try:
            value = kind(text)
        except ValueError:
            value = math.nan
        if not least <= value <= most:
            bounds = f"of {least} or more" if most == math.inf else f"from {least} to {most}"
            raise argparse.ArgumentTypeError(f"a {'whole ' * (kind is int)}number {bounds} is needed, but {text!r} was given")
        return value

    return read


def seed_and_settings(command: argparse.ArgumentParser, what: str) -> None:
    seeds = number(int, 0, 2**31 - 1)
    command.add_argument("--seed", type=seeds, default=1, metavar="N", help="equal seeds give equal weights (default: 1)")
    settings(command, what)


def settings(command: argparse.ArgumentParser, what: str) -> None:
    other = f"another value for one of {what}; may be given several times"
    more = {"dest": "settings", "metavar": "NAME=VALUE", "help": other}
    command.add_argument("--set", type=setting, action="append", default=[], **more)
