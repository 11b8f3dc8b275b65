"""`caption`: pictures in, captions of every decoder out; a picture that cannot be read is told and the rest goes on."""

import math
import os
import sys
from argparse import ArgumentParser
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from captioner.captioning.listing import Entry, Listing
from captioner.commands import arguments, choices
from captioner.commands.report import note
from captioner.config import SearchConfig, find_variant
from captioner.errors import ConfigError, ImageError
from captioner.progress import Progress

if TYPE_CHECKING:
    import numpy as np

    from captioner.captioning.captioner import Captioner

FORMATS = ("lines", "show-and-tell")
TOP = 3  # captions in the form of Show and Tell
SUMMARY = "caption pictures"


@dataclass(frozen=True, kw_only=True)
class Request(arguments.Request, arguments.Decoders):
    files: list[str]
    variant: list[str]
    beam: int | None
    top: int | None
    format: str
    out: Path | None
    skip_done: bool


def add_arguments(parser: ArgumentParser) -> None:
    parser.description = (
        "Caption pictures. The exit status is 0 when all were captioned and 1 when some were not. With --json every picture "
        "is {image, stage, captions} or {image, error}; a caption's log_probability is the sum of its word_log_probabilities, "
        "one per word, and of end_log_probability, which is null when the caption was cut off at the greatest length."
    )
    parser.add_argument("files", nargs="+", metavar="FILE|FOLDER", help="pictures, or folders of them")
    arguments.decoders(parser)
    arguments.variants(parser)
    arguments.beam(parser)
    best = f"the K best captions of each (default: 1; {TOP} in the form of show-and-tell)"
    parser.add_argument("--top", type=arguments.number(int, 1, 50), metavar="K", help=best)
    form = "how captions are printed: one to a line, or several with probabilities as Show and Tell does (default: lines)"
    parser.add_argument("--format", choices=FORMATS, default=FORMATS[0], help=form)
    parser.add_argument("--out", type=Path, metavar="FILE", help="write the JSON there, picture by picture")
    done = "add to the file of --out the pictures that have no captions there yet; those that failed are tried again"
    parser.add_argument("--skip-done", action="store_true", help=done)


def run(options: Request) -> int:
    if options.skip_done and not options.out:
        raise ConfigError("What is done already is read from a file; give --out FILE besides --skip-done.")
    if options.format != FORMATS[0] and (options.json or options.out):
        raise ConfigError(f"JSON has a form of its own; leave out --format {options.format}, or --json and --out.")
    top = options.top or (1 if options.format == FORMATS[0] else TOP)
    config = _search_config(options, top)
    captioner = choices.captioner(options, choices.variants(options.variant))
    places = [place for given in options.files for place in _pictures(given)]
    if not (options.json or options.out):
        return _tell(_entries(captioner, places, config, top), FORMS[options.format])
    listing, done = _listing(options, captioner, places, top)
    with closing(listing):
        return _tell(_entries(captioner, [place for place in places if place not in done], config, top), listing.add)


def _listing(options: Request, captioner: "Captioner", places: Sequence[str], top: int) -> tuple[Listing, set[str]]:
    """Where the entries go, and the pictures that are there already; those that have no captions are tried again."""
    if not options.out:
        return Listing(sys.stdout), set()
    if not options.skip_done:
        return Listing.begin(options.out), set()
    given, wanted = set(places), (captioner.stage, dict.fromkeys(captioner.variants, top))

    def keeps(entry: Entry) -> bool:
        if "error" in entry:
            return entry["image"] not in given
        if (entry.get("stage"), {name: len(captions) for name, captions in entry["captions"].items()}) != wanted:
            told = f"The file {options.out} was written by other decoders, of another stage or with another --top"
            raise ConfigError(f"{told}; give another name.")
        return True

    listing, done = Listing.go_on(options.out, keeps)
    note(f"{len(done)} pictures are in {options.out} already.")
    return listing, done


def _entries(captioner: "Captioner", places: list[str], config: SearchConfig, top: int) -> Iterable[dict[str, Any]]:
    """What is told about each picture, in their order; of many also how fast it goes."""
    from captioner.captioning.bulk import FEW, entries

    size = captioner.encoder.size
    with Progress("captions", len(places), "pictures") if len(places) > FEW else nullcontext() as bar:
        for entry in entries(captioner, places, lambda place: _read(place, size), config, top):
            yield entry
            if bar:
                bar.advance()


def _tell(entries: Iterable[dict[str, Any]], tell: Callable[[dict[str, Any]], None]) -> int:
    failed = False
    for entry in entries:
        failed |= "error" in entry
        tell(entry)
    return int(failed)


def _search_config(options: Request, top: int) -> SearchConfig:
    """A beam as wide as the captions asked for, unless it was given too narrow for them."""
    config = choices.search_config(options, options.beam)
    if options.beam is not None and options.beam < top:
        raise ConfigError(f"A beam of {options.beam} gives no {top} captions; give --beam {top} or leave it out.")
    return replace(config, beam=max(config.beam, top), alternatives=0)


def _pictures(given: str) -> list[str]:
    """The path itself, or the pictures right inside it when it is a folder that has some."""
    from captioner.data.images import SUFFIXES

    try:
        names = sorted(name for name in os.listdir(given) if name.lower().endswith(SUFFIXES) and not name.startswith("."))
    except OSError:
        names = []
    return [os.path.join(given, name) for name in names] or [given]


def _read(path: str, size: int) -> "np.ndarray":
    """The picture, as small as the network takes it."""
    from captioner.data.images import SUFFIXES, read_file

    if os.path.isdir(path):
        raise ImageError(f"The folder '{path}' shows no pictures to us; put some there ({', '.join(SUFFIXES)}).")
    return read_file(path, size)


def _print_text(entry: dict[str, Any]) -> None:
    if "error" in entry:
        note(entry["error"])
        return
    print(entry["image"])
    for variant, captions in entry["captions"].items():
        for caption in captions:
            print(f"  {find_variant(variant).title:9} {caption['log_probability']:7.2f}  {caption['text']}")


def _print_show_and_tell(entry: dict[str, Any]) -> None:
    """As Show and Tell's program prints captions, best first, their probabilities behind them; the full stop ends them."""
    if "error" in entry:
        note(entry["error"])
        return
    for variant, captions in entry["captions"].items():
        by = f" by {find_variant(variant).title}" if len(entry["captions"]) > 1 else ""
        print(f"Captions for image {os.path.basename(entry['image'])}{by}:")
        for number, caption in enumerate(captions):
            words = [*caption["words"], "."] if caption["end_log_probability"] is not None else caption["words"]
            print(f"{number}) {' '.join(words)} (p={math.exp(caption['log_probability']):f})")


FORMS: dict[str, Callable[[dict[str, Any]], None]] = dict(zip(FORMATS, (_print_text, _print_show_and_tell), strict=True))
