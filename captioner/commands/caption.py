"""`caption`: pictures in, captions of every decoder out; a picture that cannot be read is reported and skipped."""

import json
import math
import os
import sys
from collections.abc import Callable, Iterable
from contextlib import closing, nullcontext
from dataclasses import dataclass
from functools import cache, lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from captioner.captioning.listing import Entry, Listing, read_done, write
from captioner.commands import arguments, choices
from captioner.commands.report import note
from captioner.config import SearchConfig, find_variant
from captioner.errors import ConfigError, ImageError
from captioner.progress import Progress

if TYPE_CHECKING:
    import numpy as np

    from captioner.captioning.captioner import Captioner

Load = Callable[[], "Captioner"]

FORMATS = ("lines", "show-and-tell")
TOP = 3  # captions in the form of Show and Tell
SUMMARY = "caption pictures"


@dataclass(frozen=True, kw_only=True)
class Request(arguments.Decoders):
    description = (
        "Caption pictures. The exit status is 0 if all were captioned and 1 if some were not. With --json each picture is "
        "{image, stage, told, words_seen, notes, captions} or {image, error}: told are the words of --tell, words_seen those in "
        "the decoders' word slots, and notes say which decoder has no vector for a told word. A caption's log_probability is "
        "the sum of its word_log_probabilities, one per word, and its end_log_probability, which is null for a caption cut off "
        "at the maximum length."
    )
    files: list[str] = arguments.option("pictures, or folders of them", "FILE|FOLDER", flag="files", nargs="+")
    variant: list[str] = arguments.variants()
    beam: int | None = arguments.beam()
    top: int | None = arguments.option(
        f"print the K best captions of each decoder (default: 1; {TOP} with --format show-and-tell)",
        "K",
        type=arguments.number(int, 1, 50),
    )
    format: str = arguments.option(
        "one caption per line, or several with probabilities like Show and Tell (default: lines)",
        choices=FORMATS,
        default=FORMATS[0],
    )
    tell: list[str] | None = arguments.option(
        'put WORD into a word slot, before the nouns of the CNN; "" leaves the nouns out; repeatable',
        "WORD",
        action="append",
    )
    out: Path | None = arguments.path("append JSON Lines to a file, a line per picture", "FILE")
    skip_done: bool = arguments.switch(
        "resume the file of --out: caption the pictures without captions there, those that failed and those with another --tell"
    )


class Wanted(NamedTuple):
    """How pictures are captioned."""

    size: int  # the side of the square that the network takes
    config: SearchConfig
    top: int
    told: list[str] | None


def run(options: Request) -> int:
    from captioner.captioning.bulk import best_of
    from captioner.model.stage_folders import picture_size

    if options.skip_done and not options.out:
        raise ConfigError("--skip-done resumes a file; give it with --out FILE.")
    if options.format != FORMATS[0] and (options.json or options.out):
        raise ConfigError(f"--format {options.format} is not JSON; leave it out, or leave out --json and --out.")
    top = options.top or (1 if options.format == FORMATS[0] else TOP)
    config = best_of(choices.search_config(options, None), top, options.beam)
    load = cache(lambda: choices.captioner(options, choices.variants(options.variant)))
    places = [place for given in options.files for place in _pictures(given)]
    size = picture_size(choices.decoders(options))
    wanted = Wanted(size, config, top, options.tell)
    if options.out:
        return _write_lines(options, load, places, wanted)
    entries = _entries(load, places, wanted)
    return _print_list(entries) if options.json else _report(entries, FORMS[options.format])


def _write_lines(options: Request, load: Load, places: list[str], wanted: Wanted) -> int:
    """Append the captions to a file; pictures that have captions there are skipped, and those that failed tried again."""

    def wanted_already(entry: Entry) -> bool:
        captions, written = entry.get("captions", {}), (load().stage, dict.fromkeys(load().variants, wanted.top))
        if captions and (entry.get("stage"), {name: len(found) for name, found in captions.items()}) != written:
            reason = f"The file {options.out} was written by other decoders, of another stage or with another --top"
            raise ConfigError(f"{reason}; give another name.")
        return entry.get("told", []) == list(wanted.told or ())

    done = read_done(options.out, wanted_already) if options.skip_done else set()
    if options.skip_done:
        note(f"{len(done)} pictures are in {options.out} already.")
    with closing(Listing(options.out, options.skip_done)) as listing:
        return _report(_entries(load, [place for place in places if place not in done], wanted), listing.add)


def _print_list(entries: Iterable[Entry]) -> int:
    """A JSON list on standard output, a line per picture; it is complete even if it is interrupted."""
    between = "[\n"

    def add(entry: Entry) -> None:
        nonlocal between
        write(sys.stdout, between + json.dumps(entry))
        between = ",\n"

    try:
        return _report(entries, add)
    finally:
        write(sys.stdout, "[]\n" if between == "[\n" else "\n]\n")


def _entries(load: Load, places: list[str], wanted: Wanted) -> Iterable[Entry]:
    """The entry of each picture, in order; with a progress bar if there are many."""
    from captioner.captioning.bulk import FEW

    with Progress("captions", len(places), "pictures") if len(places) > FEW else nullcontext() as bar:
        for entry in _captioned(load, places, wanted):
            yield entry
            if bar:
                bar.advance()


def _captioned(load: Load, places: list[str], wanted: Wanted) -> Iterable[Entry]:
    """The decoders are loaded once a picture has been read: errors of files before it are known at once."""
    from captioner.captioning.bulk import entries, entry

    read = lru_cache(maxsize=1)(partial(_read, size=wanted.size))  # Keeps that picture until its turn.
    for number, place in enumerate(places):
        try:
            read(place)
        except ImageError as error:
            yield entry(place, error, "", wanted.top)
        else:
            notes = load().check_told(wanted.told)
            for sentence in notes:
                note(sentence)
            yield from entries(load(), places[number:], read, wanted.config, wanted.top, wanted.told, notes)
            return


def _report(entries: Iterable[Entry], show: Callable[[Entry], None]) -> int:
    """Show every entry; the exit status is 1 if a picture failed."""
    failed = False
    for entry in entries:
        failed |= "error" in entry
        show(entry)
    return int(failed)


def _pictures(given: str) -> list[str]:
    """The pictures directly inside a folder; the path itself if it is not a folder, or holds none."""
    from captioner.data.images import SUFFIXES

    try:
        names = sorted(name for name in os.listdir(given) if name.lower().endswith(SUFFIXES) and not name.startswith("."))
    except OSError:
        names = []
    return [os.path.join(given, name) for name in names] or [given]


def _read(path: str, size: int) -> "np.ndarray":
    """The picture at the size that the network takes."""
    from captioner.data.images import SUFFIXES, read_file

    if os.path.isdir(path):
        raise ImageError(f"Folder '{path}' contains no supported images ({', '.join(SUFFIXES)}).")
    return read_file(path, size)


def _print_text(entry: Entry) -> None:
    if "error" in entry:
        note(entry["error"])
        return
    print(entry["image"])
    for variant, captions in entry["captions"].items():
        for caption in captions:
            print(f"  {find_variant(variant).title:9} {caption['log_probability']:7.2f}  {caption['text']}")


def _print_show_and_tell(entry: Entry) -> None:
    """Print captions as Show and Tell's program does: best first, with their probabilities, and a full stop as the end."""
    if "error" in entry:
        note(entry["error"])
        return
    for variant, captions in entry["captions"].items():
        by = f" by {find_variant(variant).title}" if len(entry["captions"]) > 1 else ""
        print(f"Captions for image {os.path.basename(entry['image'])}{by}:")
        for number, caption in enumerate(captions):
            words = [*caption["words"], "."] if caption["end_log_probability"] is not None else caption["words"]
            print(f"{number}) {' '.join(words)} (p={math.exp(caption['log_probability']):f})")


FORMS: dict[str, Callable[[Entry], None]] = dict(zip(FORMATS, (_print_text, _print_show_and_tell), strict=True))
