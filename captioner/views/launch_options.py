"""Where decoders and runs lie, as the environment and the command line name them, and how a page keeps that to itself.

Needs nothing but Python, so that a page can speak where packages are missing.
"""

import argparse
import os
import re
import tempfile
from pathlib import Path

from captioner.config import SHIPPED, STAGES

FOLDER_VARIABLE = "TRIPTYCH_CHECKPOINTS"
_PLACE = re.compile(r"(?<![\w./\\])(?:[A-Za-z]:)?(?:[\\/][^\s'\"<>|:;,()\\/]+)*[\\/]([^\s'\"<>|:;,()\\/]+)")


def checkpoints_folder() -> Path:
    """The folder named by the environment, or after `--` on the command line, or else the one that ships."""
    named = os.environ.get(FOLDER_VARIABLE)
    if named:
        return Path(named)
    # Without a value the option means nothing; a page cannot end the program as a command line would.
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--checkpoints", type=Path, nargs="?", default=SHIPPED, const=SHIPPED)
    return parser.parse_known_args()[0].checkpoints


def named_stage() -> str | None:
    """The stage of training whose decoders the command line asks for after `--stage`; one that does not exist means none."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--stage", nargs="?")
    stage = parser.parse_known_args()[0].stage
    return stage if stage in STAGES else None


def named_runs() -> list[Path]:
    """The further folders of runs that the command line names after `--runs`, for the page of the curves."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--runs", type=Path, nargs="*", action="extend", default=[])
    return parser.parse_known_args()[0].runs


def named_encoder_weights() -> Path | None:
    """The file of an encoder's weights that the command line names after `--encoder-weights`."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--encoder-weights", type=Path, nargs="?")
    return parser.parse_known_args()[0].encoder_weights


def without_places(text: str) -> str:
    """The text with files and folders by their own names alone: where they lie on the server is nobody's business.

    >>> without_places("The file /srv/class/a.json of /srv/class/x is gone; see captioner/ and http://example.org/a.")
    'The file a.json of x is gone; see captioner/ and http://example.org/a.'
    """
    own = (checkpoints_folder(), *named_runs(), SHIPPED, named_encoder_weights())
    others = (Path.home(), Path(tempfile.gettempdir()))
    above = {place.absolute().parent for place in (*own, *others) if place} | set(others)
    for folder in sorted(set(map(str, above)) - {os.sep}, key=len, reverse=True):  # They may have spaces in their names.
        text = text.replace(f"{folder}{os.sep}", "")
    return _PLACE.sub(r"\1", text)
