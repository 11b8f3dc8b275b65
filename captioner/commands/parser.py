"""The list of commands; each one's arguments are in its own module. Nothing heavy is imported before a command runs."""

import argparse
from typing import NoReturn

from captioner.commands import (
    adapt,
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

WRONG = 2  # the exit status where a sentence says what was wrong
COMMANDS = (train, adapt, evaluate, caption, study, score, familiar, describe, card, bench, serve, doctor)


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.exit(WRONG, f"triptych: {message[:1].upper()}{message[1:]}; see {self.prog} --help.\n")


def parser() -> argparse.ArgumentParser:
    """The whole command line."""
    whole = _Parser(prog="python -m captioner", description="Caption photographs with three decoders; train and score them.")
    commands = whole.add_subparsers(required=True, metavar="COMMAND")
    for module in COMMANDS:
        name, summary = module.__name__.rpartition(".")[2], module.SUMMARY
        command = commands.add_parser(name, help=summary, description=f"{summary[:1].upper()}{summary[1:]}.")
        command.set_defaults(command=module, interrupted="Interrupted.")
        module.add_arguments(command)
        command.add_argument("--json", action="store_true", help="write JSON to standard output, for machines")
    return whole
