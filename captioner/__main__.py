"""`python -m captioner`: every command's arguments, and what becomes of an error or an interruption.

What the commands do is in `captioner.commands`, one module each. Nothing heavy is imported before one of them runs.
"""

import argparse
import math
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NoReturn

from captioner.commands import bench, caption, evaluate, familiar, score, train
from captioner.commands.report import note
from captioner.config import PRESETS, VARIANTS
from captioner.errors import TriptychError

WRONG, INTERRUPTED = 2, 130
_VARIANTS = f"{', '.join(VARIANTS)} or all; may be given several times (default: all)"
_SHIPPED = "the folder of trained decoders (default: those that come with the program)"


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.exit(WRONG, f"triptych: {message[:1].upper()}{message[1:]}; see {self.prog} --help.\n")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit status: 0 well, 1 in part, 2 our sentence says why not, 130 interrupted."""
    options = parser().parse_args(arguments)
    try:
        return options.run(options)
    except TriptychError as error:
        note(str(error))
        return WRONG
    except KeyboardInterrupt:
        note(options.interrupted)
        return INTERRUPTED


def parser() -> argparse.ArgumentParser:
    """The whole command line."""
    whole = _Parser(prog="python -m captioner", description="Caption photographs with three decoders; train and score them.")
    commands = whole.add_subparsers(required=True, metavar="COMMAND")
    for module, add, summary in (
        (train, _train, "train decoders on a data set"),
        (evaluate, _evaluate, "caption a split of a data set and score the captions"),
        (caption, _caption, "caption pictures"),
        (score, _score, "score captions that somebody else wrote"),
        (familiar, _familiar, "sum up the training photographs, for the page to tell how familiar another one is"),
        (bench, _bench, "time captioning or training, against the popular recipe"),
    ):
        name = module.__name__.rpartition(".")[2]
        command = commands.add_parser(name, help=summary, description=f"{summary[:1].upper()}{summary[1:]}.")
        command.set_defaults(run=module.run, interrupted="Interrupted.")
        add(command)
        command.add_argument("--json", action="store_true", help="write JSON to standard output, for machines")
    return whole


def _train(command: argparse.ArgumentParser) -> None:
    goes_on = "Interrupted; the same command with --resume goes on after the last finished epoch."
    command.set_defaults(interrupted=goes_on)
    _data(command, "or the word shapes: generated pictures that need no files")
    _variants(command)
    command.add_argument("--preset", metavar="NAME", help=f"{', '.join(PRESETS)} (default: triptych; for --data shapes, shapes)")
    seeds = _number(int, 0, 2**31 - 1)
    command.add_argument("--seed", type=seeds, default=1, metavar="N", help="equal seeds give equal weights (default: 1)")
    command.add_argument("--epochs", type=_number(int, 1), metavar="N", help="at most so many epochs (default: the preset's)")
    frozen = command.add_argument_group("the frozen word vectors")
    more_text = "more text to train them on, plain or .gz, a sentence a line; may be given several times"
    frozen.add_argument("--corpus", type=Path, action="append", default=[], metavar="FILE", help=more_text)
    frozen.add_argument("--word2vec", type=Path, metavar="FILE", help="finished vectors instead: word2vec format, text or binary")
    frozen.add_argument("--fasttext", type=Path, metavar="FILE", help="finished vectors instead: fastText's .bin or .vec")
    command.add_argument("--out", type=Path, metavar="DIR", help="where to (default: checkpoints/runs/PRESET-DATA-seedN)")
    started = "start from the trained decoders of a finished run"
    command.add_argument("--from", type=Path, dest="start", metavar="DIR", help=started)
    command.add_argument("--resume", action="store_true", help="go on with an interrupted run; what is finished stays")
    _cache(command)


def _evaluate(command: argparse.ArgumentParser) -> None:
    _data(command, "or the word shapes")
    command.add_argument("--split", choices=("dev", "test"), required=True, help="choose on dev, report test")
    command.add_argument("--checkpoints", type=Path, metavar="DIR", help=_SHIPPED)
    _variants(command)
    _beam(command)
    preference = "the higher, the longer the captions (default: the decoders' own)"
    command.add_argument("--length-preference", type=_number(float, -10, 10), metavar="X", help=preference)
    command.add_argument(
        "--choose", action="store_true", help="first try beams and length preferences, and keep the best as the decoders' own"
    )
    _cache(command)


def _caption(command: argparse.ArgumentParser) -> None:
    command.description = (
        "Caption pictures. The exit status is 0 when all were captioned and 1 when some were not. With --json every picture "
        "is {image, captions} or {image, error}; a caption's log_probability is the sum of its word_log_probabilities, one per "
        "word, and of end_log_probability, which is null when the caption was cut off at the greatest length."
    )
    command.add_argument("files", nargs="+", metavar="FILE|FOLDER", help="pictures, or folders of them")
    command.add_argument("--checkpoints", type=Path, metavar="DIR", help=_SHIPPED)
    _variants(command)
    _beam(command)
    best = "the K best captions of each (default: 1)"
    command.add_argument("--top", type=_number(int, 1, 50), default=1, metavar="K", help=best)


def _score(command: argparse.ArgumentParser) -> None:
    _data(command, "or the word shapes; its captions are the references")
    command.add_argument("--images", type=Path, required=True, metavar="LIST", help="names of photographs, one a line")
    command.add_argument("--captions", type=Path, required=True, metavar="FILE", help="line n is the caption of line n of LIST")


def _familiar(command: argparse.ArgumentParser) -> None:
    _data(command, "or the word shapes; its train split is summed up, its dev split says how far apart photographs lie")
    command.add_argument("--checkpoints", type=Path, metavar="DIR", help=_SHIPPED)
    _cache(command)


def _bench(command: argparse.ArgumentParser) -> None:
    command.add_argument("--training", action="store_true", help="time an epoch of training instead of captioning")
    _data(command, "for --training", required=False)
    presets = f"for --training: {', '.join(PRESETS)} (default: triptych)"
    command.add_argument("--preset", default="triptych", metavar="NAME", help=presets)
    command.add_argument("--checkpoints", type=Path, metavar="DIR", help=_SHIPPED)
    _cache(command)


def _data(command: argparse.ArgumentParser, more: str, required: bool = True) -> None:
    command.add_argument("--data", required=required, metavar="DIR", help=f"a folder of Flickr8k or of COCO captions, {more}")


def _variants(command: argparse.ArgumentParser) -> None:
    command.add_argument("--variant", action="append", default=[], metavar="NAME", help=_VARIANTS)


def _beam(command: argparse.ArgumentParser) -> None:
    beam = "captions that are followed at once (default: the decoders' own)"
    command.add_argument("--beam", type=_number(int, 1, 50), metavar="N", help=beam)


def _cache(command: argparse.ArgumentParser) -> None:
    folder = "where features are kept (default: TRIPTYCH_CACHE, or triptych in the user's cache folder)"
    command.add_argument("--cache", type=Path, metavar="DIR", help=folder)


def _number(kind: type[float], least: float, most: float = math.inf) -> Callable[[str], float]:
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


if __name__ == "__main__":
    # A file's name may hold what the terminal's encoding cannot show; it is escaped, as on standard error.
    sys.stdout.reconfigure(errors="backslashreplace")
    sys.exit(main())
