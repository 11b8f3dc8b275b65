"""`caption`: pictures in, captions of every decoder out; a picture that cannot be read is told and the rest goes on."""

import os
from argparse import Namespace
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from captioner.commands import choices
from captioner.commands.report import note, print_json
from captioner.config import SearchConfig, find_variant
from captioner.errors import ConfigError, ImageError

if TYPE_CHECKING:
    import numpy as np

    from captioner.captioning import Caption, Captioner

SUFFIXES = (".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".gif", ".bmp", ".avif")
_PICTURES_AT_ONCE = 16

Read = tuple[str, "np.ndarray | ImageError"]
Captions = dict[str, list["Caption"]]
Captioned = tuple[str, Captions | ImageError]


def run(options: Namespace) -> int:
    config = _search_config(options)
    captioner = choices.captioner(options)
    places = [place for given in options.files for place in _pictures(given)]
    entries: list[dict[str, Any]] = []
    for first in range(0, len(places), _PICTURES_AT_ONCE):
        pictures = [_read(place, captioner.encoder.size) for place in places[first : first + _PICTURES_AT_ONCE]]
        for name, found in _caption(captioner, pictures, config):
            entries.append(_entry(name, found, captioner.stage, options.top))
            if not options.json:
                _print_text(entries[-1])
    if options.json:
        print_json(entries)
    return int(any("error" in entry for entry in entries))


def _search_config(options: Namespace) -> SearchConfig:
    """A beam as wide as the captions asked for, unless it was given too narrow for them."""
    config = choices.search_config(options)
    if options.beam is not None and options.beam < options.top:
        raise ConfigError(f"A beam of {options.beam} gives no {options.top} captions; give --beam {options.top} or leave it out.")
    return replace(config, beam=max(config.beam, options.top), alternatives=0)


def _pictures(given: str) -> list[str]:
    """The path itself, or the pictures right inside it when it is a folder that has some."""
    try:
        names = sorted(name for name in os.listdir(given) if name.lower().endswith(SUFFIXES) and not name.startswith("."))
    except OSError:
        names = []
    return [os.path.join(given, name) for name in names] or [given]


def _read(path: str, size: int) -> Read:
    """The picture, small already, so that a batch of large ones fits in memory; or why there is none."""
    from captioner.images import read_file, resize

    if os.path.isdir(path):
        return path, ImageError(f"The folder '{path}' shows no pictures to us; put some there ({', '.join(SUFFIXES)}).")
    try:
        return path, resize(read_file(path), size)
    except ImageError as error:
        return path, error


def _caption(captioner: "Captioner", pictures: Sequence[Read], config: SearchConfig) -> Iterator[Captioned]:
    """Each picture's captions, or why it has none, in the order of the pictures."""
    good = [picture for _, picture in pictures if not isinstance(picture, ImageError)]
    captioned = iter(captioner.caption(good, config))
    for path, picture in pictures:
        yield path, picture if isinstance(picture, ImageError) else next(captioned)


def _entry(image: str, found: Captions | ImageError, stage: str, top: int) -> dict[str, Any]:
    """What is told about one picture, as plain data."""
    if isinstance(found, ImageError):
        return {"image": image, "error": str(found)}
    captions = {name: [caption.to_json() for caption in best[:top]] for name, best in found.items()}
    return {"image": image, "stage": stage, "captions": captions}


def _print_text(entry: dict[str, Any]) -> None:
    if "error" in entry:
        note(entry["error"])
        return
    print(entry["image"])
    for variant, captions in entry["captions"].items():
        for caption in captions:
            print(f"  {find_variant(variant).title:9} {caption['log_probability']:7.2f}  {caption['text']}")
