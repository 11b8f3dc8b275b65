"""`ancestors`: the older recipes, trained and scored one after the other on the same data; says what all of them show."""

from argparse import ArgumentParser
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

from captioner.commands import arguments, card, choices
from captioner.commands.report import in_turn, note, print_json, print_table
from captioner.errors import CheckpointError, TrainingError
from captioner.presets import PARTS
from captioner.training.worker_group import refuse_several

if TYPE_CHECKING:
    from captioner.experiments.ancestor_records import Ancestor, Record
    from captioner.experiments.ancestor_trials import Workshop
    from captioner.figures.scores.study_file import Study

ENCODER = "efficientnet-lite2"  # as it comes, for those of others were frozen, too
SUMMARY = "train and score the recipes that ours descends from, and answer an open question"


@dataclass(frozen=True, kw_only=True)
class Request(arguments.Request):
    data: str | None
    corpus: list[Path]
    part: list[str] | None
    encoder: str | None
    encoder_weights: Path | None
    checkpoints: Path
    runs: Path | None
    cache: Path | None


def add_arguments(parser: ArgumentParser) -> None:
    parser.set_defaults(interrupted=arguments.GOES_ON.format(""))
    parser.description = (
        "Train and score what is missing of the recipes that ours descends from, and tell what all of them show; without --data "
        "only the latter."
    )
    arguments.data(parser, "or the word shapes", required=False)
    parser.add_argument("--corpus", type=Path, action="append", default=[], metavar="FILE", help="as for train")
    parts = "table: every recipe with three embeddings; question: course with more and fewer dimensions; notes: on stacked; "
    parts += "may be given several times (default: all)"
    parser.add_argument("--part", action="append", choices=PARTS, metavar="PART", help=parts)
    parser.add_argument("--encoder", metavar="NAME", help=f"as for train (default: {ENCODER})")
    arguments.encoder_weights(parser)
    arguments.checkpoints(parser, "where the records are kept (default: checkpoints)")
    parser.add_argument("--runs", type=Path, metavar="DIR", help="where they are trained (default: runs/ancestors within that)")
    arguments.cache(parser)


def run(options: Request) -> int:
    from captioner.experiments.ancestor_records import plan, read_records

    given = {"part": options.part, "corpus": options.corpus, "encoder": options.encoder}
    choices.refuse_without_data(options.data, **given, encoder_weights=options.encoder_weights)
    choices.check_files(options.corpus)
    out, wanted = options.checkpoints, plan(options.part or PARTS)
    records = read_records(out)
    if options.data:
        refuse_several("A comparison of recipes")
        records = _run_missing(_workshop(options), wanted, records, options)
    if not records:
        raise TrainingError(f"None of these recipes has been trained yet in {out}; give --data, and --corpus, to train them.")
    if options.json:
        print_json([dict(record.data) for record in records])
    else:
        _print_text(records, len(plan()), out)
    return 0


def _workshop(options: Request) -> "Workshop":
    from captioner.runtime import start_tensorflow

    start_tensorflow(repeatable=True)
    from captioner.experiments.ancestor_trials import Workshop
    from captioner.training.run_inputs import Sources

    out = options.checkpoints
    encoder = choices.encoder(options.encoder or ENCODER, options.encoder_weights, out)
    runs = options.runs or out / "runs" / "ancestors"
    return Workshop(choices.dataset(options.data), encoder, choices.cache(options.cache), Sources(tuple(options.corpus)), runs)


def _run_missing(
    workshop: "Workshop", wanted: Sequence["Ancestor"], records: Sequence["Record"], options: Request
) -> list["Record"]:
    """One after the other; how long it still takes is told from how long those before took."""
    from captioner.experiments.ancestor_records import save_records

    for record in records:
        workshop.check(record)
    finished = {record.ancestor: record for record in records}
    left = [ancestor for ancestor in wanted if ancestor not in finished]
    note(f"{len(wanted) - len(left)} of {len(wanted)} trainings are finished already.")
    for ancestor in in_turn(left, "Training"):
        finished[ancestor] = found = workshop.carry_out(ancestor)
        save_records(options.checkpoints, list(finished.values()))
        if found.gave_up:
            note(f"{ancestor} was given up: {found.gave_up}")
        else:
            card.keep(workshop.runs / ancestor.place)
    return list(finished.values())


def _print_text(records: Sequence["Record"], planned: int, out: Path) -> None:
    from captioner.figures.recipes import ancestor_sentences, dimensions_question, recipe_table

    print(f"{len(records)} of {planned} trainings; 95% intervals in brackets")
    for recipe, rows in groupby(recipe_table.rows(records), key=lambda row: row["recipe"]):
        print(f"\n{recipe}\n")
        print_table({row["vectors"]: _cells(row) for row in rows})
    for text in (*ancestor_sentences.sentences(records, _study(out)), *dimensions_question.sentences(records)):
        print(f"\n{text}")


def _study(out: Path) -> "Study | None":
    """The study that lies beside the records; one that is damaged takes nothing from what these say."""
    from captioner.figures.scores.study_file import read_study

    try:
        return read_study(out)
    except CheckpointError as error:
        note(str(error))
        return None


def _cells(row: dict[str, Any]) -> dict[str, str]:
    return {name: value for name, value in row.items() if name not in ("recipe", "vectors")}
