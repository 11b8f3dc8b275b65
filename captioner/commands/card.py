"""`card`: the papers of a run, made from its own files; the commands that train and score keep them in the run's folder."""

from argparse import ArgumentParser
from dataclasses import dataclass
from pathlib import Path

from captioner.commands import arguments, choices
from captioner.commands.report import note, print_json
from captioner.errors import CheckpointError, EncoderError

SUMMARY = "tell what is known of trained decoders: their data, settings, code, seeds, scores, limits, licence"


@dataclass(frozen=True, kw_only=True)
class Request(arguments.Request, arguments.Files):
    write: bool


def add_arguments(parser: ArgumentParser) -> None:
    parser.description = (
        "Tell what the files of trained decoders say of them, as a model card in Markdown. Training and scoring keep the same "
        "card beside the decoders, in card.json and card.md; what was not put down at the time of training is told as such."
    )
    arguments.files(parser)
    parser.add_argument("--write", action="store_true", help="write card.json and card.md beside the decoders, too")


def run(options: Request) -> int:
    from captioner.reports.model_card import CARD, TEXT, markdown, read_card, write_card

    folder = choices.decoders(options)
    card = read_card(folder)
    if options.write:
        write_card(folder, card)
        note(f"The card is in {folder}, as {CARD} and {TEXT}.")
    if options.json:
        print_json(card)
    else:
        print(markdown(card), end="")
    return 0


def keep(folder: Path) -> None:
    """Make the card of a run anew; what was trained or scored is not lost because its card cannot be written."""
    from captioner.reports.model_card import write_card

    try:
        write_card(folder)
    except (CheckpointError, EncoderError) as error:
        note(f"No card was written. {error}")
