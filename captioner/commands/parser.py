"""Every command's arguments. Nothing heavy is imported before one of them runs."""

import argparse
from pathlib import Path
from typing import NoReturn

from captioner.commands import (
    adapt,
    ancestors,
    bench,
    caption,
    card,
    describe,
    doctor,
    evaluate,
    familiar,
    score,
    serve,
    study,
    train,
)
from captioner.commands.arguments import (
    SHIPPED_HELP,
    beam,
    cache,
    data,
    decoders,
    encoder_weights,
    files,
    number,
    seed_and_settings,
    settings,
    variants,
)
from captioner.config import CONTROLS, FIRST, SPLITTINGS, STAGES, VARIANTS
from captioner.presets import PARTS, PRESETS

WRONG = 2  # the exit status where a sentence says what was wrong
_GOES_ON = "Interrupted; the same command{} goes on after the last finished epoch, if there is one."


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.exit(WRONG, f"triptych: {message[:1].upper()}{message[1:]}; see {self.prog} --help.\n")


def parser() -> argparse.ArgumentParser:
    """The whole command line."""
    whole = _Parser(prog="python -m captioner", description="Caption photographs with three decoders; train and score them.")
    commands = whole.add_subparsers(required=True, metavar="COMMAND")
    for module, add, summary in (
        (train, _train, "train decoders on a data set"),
        (adapt, _adapt, "train the CNN on together with trained decoders, for others to start from"),
        (evaluate, _evaluate, "caption a split of a data set and score the captions"),
        (caption, _caption, "caption pictures"),
        (study, _study, "train and score the three with several seeds, and what they are held against"),
        (ancestors, _ancestors, "train and score the recipes that ours descends from, and answer an open question"),
        (score, _score, "score captions that somebody else wrote"),
        (familiar, _familiar, "sum up the training photographs, and measure what being unlike them says about captions"),
        (describe, _describe, "count the parameters of a preset's decoder, layer by layer, without data or weights"),
        (card, _card, "tell what is known of trained decoders: their data, settings, code, seeds, scores, limits, licence"),
        (bench, _bench, "time captioning or training, against the popular recipe"),
        (serve, _serve, "caption pictures for programs, over HTTP"),
        (doctor, _doctor, "look the installation over, and say what to do about what is wrong"),
    ):
        name = module.__name__.rpartition(".")[2]
        command = commands.add_parser(name, help=summary, description=f"{summary[:1].upper()}{summary[1:]}.")
        command.set_defaults(run=module.run, interrupted="Interrupted.")
        add(command)
        command.add_argument("--json", action="store_true", help="write JSON to standard output, for machines")
    return whole


def _train(command: argparse.ArgumentParser) -> None:
    command.set_defaults(interrupted=_GOES_ON.format(" with --resume"))
    data(command, "or the word shapes: generated pictures that need no files")
    variants(command, f"; besides, to hold them against: {', '.join(CONTROLS)}")
    command.add_argument("--preset", metavar="NAME", help=f"{', '.join(PRESETS)} (default: triptych; for --data shapes, shapes)")
    ways = f"{', '.join(SPLITTINGS)}: the data set's own splits, or train and dev joined (default: {SPLITTINGS[0]})"
    command.add_argument("--splits", choices=SPLITTINGS, default=SPLITTINGS[0], help=ways)
    looking = "the CNN, any of keras.applications by its name, as ResNet152 (default: the preset's)"
    command.add_argument("--encoder", metavar="NAME", help=looking)
    encoder_weights(command)
    seed_and_settings(command, "the preset's settings, as dropout=0.4")
    command.add_argument("--epochs", type=number(int, 1), metavar="N", help="at most so many epochs (default: the preset's)")
    frozen = command.add_argument_group("the frozen word vectors")
    more_text = "more text to train them on, plain or .gz, a sentence a line; may be given several times"
    frozen.add_argument("--corpus", type=Path, action="append", default=[], metavar="FILE", help=more_text)
    frozen.add_argument("--word2vec", type=Path, metavar="FILE", help="finished vectors instead: word2vec format, text or binary")
    frozen.add_argument("--fasttext", type=Path, metavar="FILE", help="finished vectors instead: fastText's .bin or .vec")
    command.add_argument("--out", type=Path, metavar="DIR", help="where to (default: checkpoints/runs/PRESET-DATA-seedN)")
    stage = "first: each next word of people's captions; reward: whole captions, rewarded by CIDEr, with --from (default: first)"
    command.add_argument("--stage", choices=tuple(STAGES), default=FIRST, help=stage)
    started = "start from the trained decoders of a finished run"
    command.add_argument("--from", type=Path, dest="start", metavar="DIR", help=started)
    command.add_argument("--resume", action="store_true", help="go on with an interrupted run; what is finished stays")
    logs = "write the figures of every epoch for TensorBoard, into DIR/VARIANT-SEED-STAGE; takes the package tensorboard"
    command.add_argument("--tensorboard", type=Path, metavar="DIR", help=logs)
    cache(command)


def _adapt(command: argparse.ArgumentParser) -> None:
    command.set_defaults(interrupted=_GOES_ON.format(" with --resume"))
    data(command, "or the word shapes")
    started = "a finished run of all three, with the CNN as it comes; they are not changed"
    command.add_argument("--from", type=Path, dest="start", required=True, metavar="DIR", help=started)
    seed_and_settings(command, "the adaptation's settings, as epochs=4")
    command.add_argument("--out", type=Path, metavar="DIR", help="where to (default: checkpoints/encoder)")
    command.add_argument("--resume", action="store_true", help="go on with an interrupted adaptation")


def _study(command: argparse.ArgumentParser) -> None:
    command.set_defaults(interrupted=_GOES_ON.format(""))
    command.description = (
        "Train and score what is missing of the comparison, and tell what all finished runs show; without --data only the latter."
    )
    data(command, "or the word shapes", required=False)
    command.add_argument("--corpus", type=Path, action="append", default=[], metavar="FILE", help="as for train")
    command.add_argument("--preset", default="triptych", metavar="NAME", help=f"{', '.join(PRESETS)} (default: triptych)")
    for name, default, what in (
        ("--seeds", 5, "of each of the three in the first stage"),
        ("--reward-seeds", 3, "of them that go on to the second"),
        ("--control-seeds", 2, f"of {', '.join(CONTROLS)}"),
        ("--frozen-seeds", 2, "of the three on the CNN as it comes, where the preset has a twin called NAME-frozen"),
    ):
        command.add_argument(name, type=number(int, 0, 99), default=default, metavar="N", help=f"seeds {what} ({default})")
    command.add_argument("--checkpoints", type=Path, metavar="DIR", help="where the records are kept (default: checkpoints)")
    command.add_argument("--runs", type=Path, metavar="DIR", help="where runs are trained (default: runs/study within that)")
    ship = "put the best seed on dev of each decoder where every command finds it"
    command.add_argument("--ship", action="store_true", help=ship)
    cache(command)


def _ancestors(command: argparse.ArgumentParser) -> None:
    command.set_defaults(interrupted=_GOES_ON.format(""))
    command.description = (
        "Train and score what is missing of the recipes that ours descends from, and tell what all of them show; without --data "
        "only the latter."
    )
    data(command, "or the word shapes", required=False)
    command.add_argument("--corpus", type=Path, action="append", default=[], metavar="FILE", help="as for train")
    parts = "table: every recipe with three embeddings; question: course with more and fewer dimensions; notes: on stacked; "
    parts += "may be given several times (default: all)"
    command.add_argument("--part", action="append", choices=PARTS, metavar="PART", help=parts)
    command.add_argument("--encoder", metavar="NAME", help=f"as for train (default: {ancestors.ENCODER})")
    encoder_weights(command)
    command.add_argument("--checkpoints", type=Path, metavar="DIR", help="where the records are kept (default: checkpoints)")
    command.add_argument("--runs", type=Path, metavar="DIR", help="where they are trained (default: runs/ancestors within that)")
    cache(command)


def _evaluate(command: argparse.ArgumentParser) -> None:
    data(command, "or the word shapes")
    command.add_argument("--split", choices=("dev", "test"), required=True, help="choose on dev, report test")
    decoders(command)
    variants(command)
    beam(command)
    preference = "the higher, the longer the captions (default: the decoders' own)"
    command.add_argument("--length-preference", type=number(float, -10, 10), metavar="X", help=preference)
    command.add_argument(
        "--choose", action="store_true", help="first try beams and length preferences, and keep the best as the decoders' own"
    )
    kept = "put the decoders' settings, history and scores on dev, without weights, among what was tried"
    command.add_argument("--keep", metavar="NAME", help=kept)
    cache(command)


def _caption(command: argparse.ArgumentParser) -> None:
    command.description = (
        "Caption pictures. The exit status is 0 when all were captioned and 1 when some were not. With --json every picture "
        "is {image, stage, captions} or {image, error}; a caption's log_probability is the sum of its word_log_probabilities, "
        "one per word, and of end_log_probability, which is null when the caption was cut off at the greatest length."
    )
    command.add_argument("files", nargs="+", metavar="FILE|FOLDER", help="pictures, or folders of them")
    decoders(command)
    variants(command)
    beam(command)
    best = f"the K best captions of each (default: 1; {caption.TOP} in the form of show-and-tell)"
    command.add_argument("--top", type=number(int, 1, 50), metavar="K", help=best)
    form = "how captions are printed: one to a line, or several with probabilities as Show and Tell does (default: lines)"
    command.add_argument("--format", choices=caption.FORMATS, default=caption.FORMATS[0], help=form)
    command.add_argument("--out", type=Path, metavar="FILE", help="write the JSON there, picture by picture")
    done = "add to the file of --out the pictures that have no captions there yet; those that failed are tried again"
    command.add_argument("--skip-done", action="store_true", help=done)


def _score(command: argparse.ArgumentParser) -> None:
    data(command, "or the word shapes; its captions are the references")
    command.add_argument("--images", type=Path, required=True, metavar="LIST", help="names of photographs, one a line")
    command.add_argument("--captions", type=Path, required=True, metavar="FILE", help="line n is the caption of line n of LIST")


def _familiar(command: argparse.ArgumentParser) -> None:
    data(command, "or the word shapes; its train split is summed up, its dev split says how far apart photographs lie")
    decoders(command)
    cache(command)


def _card(command: argparse.ArgumentParser) -> None:
    command.description = (
        "Tell what the files of trained decoders say of them, as a model card in Markdown. Training and scoring keep the same "
        "card beside the decoders, in card.json and card.md; what was not put down at the time of training is told as such."
    )
    files(command)
    command.add_argument("--write", action="store_true", help="write card.json and card.md beside the decoders, too")


def _bench(command: argparse.ArgumentParser) -> None:
    what = command.add_mutually_exclusive_group()
    what.add_argument("--training", action="store_true", help="time an epoch of training instead of captioning")
    large = "train on a made-up cache larger than memory, in sparse files, and read made-up captions in COCO's form"
    what.add_argument("--large", action="store_true", help=large)
    bulk = "caption thousands of files, against the encoder alone; with --data those of that folder, over and over"
    what.add_argument("--bulk", action="store_true", help=bulk)
    what.add_argument("--workers", action="store_true", help="time training by 1, 2 and 4 processes; compute COCO's cost")
    size = f"for --large: gigabytes of that cache's address space; it takes no room on the disk (default: {bench.GIGABYTES:g})"
    command.add_argument("--gigabytes", type=number(float, 0.1, 10_000), default=bench.GIGABYTES, metavar="N", help=size)
    many = f"for --bulk: how many files are captioned (default: {bench.PHOTOGRAPHS:,})"
    command.add_argument("--photographs", type=number(int, 1), default=bench.PHOTOGRAPHS, metavar="N", help=many)
    data(command, "for --training and --workers", required=False)
    presets = f"for the same: {', '.join(PRESETS)} (default: triptych)"
    command.add_argument("--preset", default="triptych", metavar="NAME", help=presets)
    decoders(command)
    cache(command)


def _serve(command: argparse.ArgumentParser) -> None:
    command.description = (
        "Caption pictures over HTTP until it is ended; its addresses are described at /docs. Whoever asks must send one of the "
        f"keys in the environment variable {serve.KEYS_VARIABLE}, separated by commas, where it is set."
    )
    command.set_defaults(interrupted="Ended.")
    command.add_argument("--host", default="127.0.0.1", metavar="ADDRESS", help="where it listens (default: this machine only)")
    command.add_argument("--port", type=number(int, 0, 65535), default=8000, metavar="N", help="(default: 8000)")
    command.add_argument("--page", action="store_true", help="serve the page, too, in the same process, at /")
    decoders(command)


def _describe(command: argparse.ArgumentParser) -> None:
    command.add_argument("--preset", default="triptych", metavar="NAME", help=f"{', '.join(PRESETS)} (default: triptych)")
    command.add_argument("--variant", default="learned", metavar="NAME", help=f"{', '.join(VARIANTS)} (default: learned)")
    words = number(int, 1, 1_000_000)
    command.add_argument("--vocabulary", type=words, required=True, metavar="N", help="how many words get a score")
    rows = "rows of the word table, where it has more than words get a score (default: as many)"
    command.add_argument("--rows", type=words, metavar="N", help=rows)
    for name, default, what in (
        ("--features", describe.FEATURES, "numbers of a region of the photograph"),
        ("--regions", describe.REGIONS, "regions of the photograph"),
    ):
        more = {"default": default, "metavar": "N", "help": f"{what} (default: {default})"}
        command.add_argument(name, type=number(int, 1, 10_000), **more)
    command.add_argument("--embedding", type=number(int, 1, 8192), metavar="N", help="numbers of a word's vector")
    settings(command, "the preset's settings, as layers=2")


def _doctor(command: argparse.ArgumentParser) -> None:
    command.description = "Look the installation over. The exit status is 0 when all is well and 1 when something is wrong."
    command.add_argument("--checkpoints", type=Path, metavar="DIR", help=SHIPPED_HELP)
    encoder_weights(command)
