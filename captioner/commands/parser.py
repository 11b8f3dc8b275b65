"""The list of commands. Each declares its arguments in its own module; nothing heavy is imported before a command runs."""

import argparse
from typing import NoReturn

from captioner.commands import (
    adapt,
    arguments,
    bench,
    caption,
    card,
    describe,
    doctor,
    evaluate,
    export_encoder,
    familiar,
    pseudo_caption,
    score,
    serve,
    study,
    train,
)

ERROR = 2  # the exit status after an error with a message
COMMANDS = (
    train, adapt, export_encoder, evaluate, caption, pseudo_caption, study, score, familiar, describe, card, bench, serve, doctor
)  # fmt: skip


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.exit(ERROR, f"triptych: {message[:1].upper()}{message[1:]}; see {self.prog} --help.\n")


def parser() -> argparse.ArgumentParser:
    """The whole command line."""
    whole = _Parser(prog="python -m captioner", description="Caption photographs with three decoders; train and score them.")
    commands = whole.add_subparsers(required=True, metavar="COMMAND")
    for module in COMMANDS:
        name, summary = module.__name__.rpartition(".")[2].replace("_", "-"), module.SUMMARY
        description = module.Request.description or f"{summary[:1].upper()}{summary[1:]}."
        command = commands.add_parser(name, help=summary, description=description)
        command.set_defaults(command=module)
        arguments.add_options(command, module.Request)
    return whole
