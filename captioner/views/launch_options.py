"""What the app was started with: the folders of decoders and runs, and how a page keeps the server's paths to itself.

Needs nothing but Python, so that a page can explain which packages are missing.
"""

import argparse
import os
import re
import tempfile
from dataclasses import dataclass
from pathlib import Path

from captioner.config import SHIPPED, STAGES

FOLDER_VARIABLE = "TRIPTYCH_CHECKPOINTS"
_PATH = re.compile(r"(?<![\w./\\])(?:[A-Za-z]:)?(?:[\\/][^\s'\"<>|:;,()\\/]+)*[\\/]([^\s'\"<>|:;,()\\/]+)")


@dataclass(frozen=True)
class LaunchOptions:
    """`runs` are further folders for the page of the curves; `encoder_weights` is a file for an encoder that comes without."""

    checkpoints: Path
    stage: str | None = None
    runs: tuple[Path, ...] = ()
    encoder_weights: Path | None = None


_of_the_server: LaunchOptions | None = None


def launch_with(options: LaunchOptions) -> None:
    """Use these from now on: a server that holds the page has read its own command line."""
    global _of_the_server
    _of_the_server = options


def launch_options() -> LaunchOptions:
    """The environment and the command line after `--`; an option that makes no sense is ignored, since a page cannot exit."""
    if _of_the_server:
        return _of_the_server
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--checkpoints", type=Path, nargs="?", default=SHIPPED, const=SHIPPED)
    parser.add_argument("--stage", nargs="?")
    parser.add_argument("--runs", type=Path, nargs="*", action="extend", default=[])
    parser.add_argument("--encoder-weights", type=Path, nargs="?")
    found = parser.parse_known_args()[0]
    checkpoints = Path(os.environ.get(FOLDER_VARIABLE) or found.checkpoints)
    return LaunchOptions(checkpoints, found.stage if found.stage in STAGES else None, tuple(found.runs), found.encoder_weights)


def hide_server_paths(text: str) -> str:
    """The text with the bare names of files and folders: visitors need not know where they are on the server.

    >>> hide_server_paths("The file /srv/class/a.json of /srv/class/x is gone; see captioner/ and http://example.org/a.")
    'The file a.json of x is gone; see captioner/ and http://example.org/a.'
    """
    options = launch_options()
    own = (options.checkpoints, *options.runs, SHIPPED, options.encoder_weights)
    others = (Path.home(), Path(tempfile.gettempdir()))
    above = {place.absolute().parent for place in (*own, *others) if place} | set(others)
    for folder in sorted(set(map(str, above)) - {os.sep}, key=len, reverse=True):  # Their names may contain spaces.
        text = text.replace(f"{folder}{os.sep}", "")
    return _PATH.sub(r"\1", text)
