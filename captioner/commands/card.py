"""`card`: the model card of trained decoders, from their own files. Commands that train or score use `keep` to update it."""

from dataclasses import dataclass
from pathlib import Path

from captioner.commands import arguments, choices
from captioner.commands.report import note, print_json
from captioner.errors import CheckpointError, EncoderError

SUMMARY = "print the model card of trained decoders: data, settings, code, seeds, scores, limits, licence"


@dataclass(frozen=True, kw_only=True)
class Request(arguments.Files):
    description = (
        "Print the model card of trained decoders, from their files, as Markdown. Training and scoring keep the same card "
        "beside the decoders, in card.json and card.md; it marks what was not recorded during training."
    )
    write: bool = arguments.switch("also write card.json and card.md beside the decoders")


def run(request: Request) -> int:
    from captioner.reports.model_card import CARD, TEXT, markdown, read_card, write_card

    folder = choices.decoders(request)
    card = read_card(folder)
    if request.write:
        write_card(folder, card)
        note(f"Wrote {CARD} and {TEXT} in {folder}.")
    if request.json:
        print_json(card)
    else:
        print(markdown(card), end="")
    return 0


def keep(folder: Path) -> None:
    """Update the card of a run; a card that cannot be written must not lose what was trained or scored."""
    from captioner.reports.model_card import write_card

    try:
        write_card(folder)
    except (CheckpointError, EncoderError) as error:
        note(f"No card was written. {error}")
