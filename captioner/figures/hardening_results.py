"""What the commands in tests/hardening printed of what the program withstood, as rows of a table."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from captioner.errors import CheckpointError
from captioner.storage import read_json

FILES, FUZZ, LOAD, CRASHES, WORKERS = (f"survived-{name}.json" for name in ("files", "fuzz", "load", "crashes", "workers"))
SERVED = "served.json"
Row = tuple[str, str]


def rows(folder: Path) -> list[Row]:
    """What was sent to it, and what came of it; of what was not measured yet there is no row."""
    found: list[Row] = []
    parts = ((FILES, _files), (FUZZ, _fuzz), (LOAD, _load), (SERVED, _served), (CRASHES, _crashes), (WORKERS, _workers))
    for name, told in parts:
        if (folder / name).is_file():
            try:
                found += told(read_json(folder / name))
            except (KeyError, TypeError, ValueError, AttributeError) as error:
                raise CheckpointError(f"The file {name} is not what its command prints; make it again.") from error
    return found


def _files(data: Mapping[str, Any]) -> list[Row]:
    doors = {"library": "the library", "command": "the command line", "page": "the page"}
    return [
        (
            f"{data[door]['captioned'] + data[door]['refused']:,} files of strangers at {title}: damaged, bombs, no pictures",
            f"{data[door]['captioned']:,} captioned, {data[door]['refused']:,} refused in a sentence, "
            f"{len(data[door]['problems'])} anything else; longest {data[door]['longest_s']:.2g} s, "
            f"most memory {data[door]['most_mb']:.0f} MB",
        )
        for door, title in doors.items()
        if door in data
    ]


def _fuzz(data: Mapping[str, Any]) -> list[Row]:
    minutes = data["seconds"] / 60
    what = f"{data['files_tried']:,} files that a fuzzer made in {minutes:.0f} minutes"
    return [(what, _none(len(data["broken_by"]), "broke it"))]


def _load(data: Mapping[str, Any]) -> list[Row]:
    found = [
        (
            f"{visitors} {'visitors' if int(visitors) > 1 else 'visitor'} at once for {data['seconds_each'] / 60:.0f} minutes",
            f"{part['a_second']:.2g} photographs a second, 95% within {part['p95_ms'] / 1000:.2g} s, "
            f"{_none(part['errors'], 'failed')}, {part['memory_mb_more']:+d} MB afterwards",
        )
        for visitors, part in data["visitors"].items()
    ]
    beside = data["beside_a_batch_of_50"]
    waits = f"{beside['beside_median_ms']} ms, alone {beside['alone_median_ms']} ms"
    return [
        *found,
        (
            f"{data['answers_held_against_the_library']:,} of those answers against the library's for the photograph alone",
            _none(data["wrong_answers"], "differs"),
        ),
        ("a photograph beside another visitor's fifty", f"{waits} (medians)"),
    ]


def _served(data: Mapping[str, Any]) -> list[Row]:
    many = data["together"]
    waits = ", ".join(f"{percent}% within {many[f'p{percent}_ms'] / 1000:.2g} s" for percent in (50, 95, 99))
    return [
        (
            f"{data['clients']} programs at once at the service for {data['seconds']:.0f} s",
            f"{many['a_second']:.0f} photographs a second, {data['gain']:.1f} times as many as one program gets; "
            f"{waits}; {_none(many['lost'], 'lost')}",
        ),
        (
            f"{data['answers_held_against_the_library']:,} of those answers against the library's for the photograph alone",
            _none(data["wrong_answers"], "differs"),
        ),
    ]


def _crashes(data: Mapping[str, Any]) -> list[Row]:
    while_doing = ", ".join(f"{times} while {what}" for what, times in data["killed_while"].items())
    what = (
        f"{_none(data['unreadable_or_not_gone_on_with'], 'unreadable or lost')}, "
        f"{_none(data['ended_with_other_weights'], 'ended with other weights')}, "
        f"{_none(data['temporary_files_left'], 'left as a temporary file')}"
    )
    return [(f"`kill -9` at {data['kills']} random moments of a training ({while_doing})", what)]


def _workers(data: Mapping[str, Any]) -> list[Row]:
    """In double precision they must be equal; in single precision no two ways of adding up are."""
    single = data["in_single_precision"]
    double, rounded = (
        ", ".join(f"{part['largest_difference']:.1g} by {count}" for count, part in found["processes"].items())
        for found in (data, single)
    )
    backward = f"{single['one_backward']['largest_difference']:.1g} by one that takes each step's photographs backward"
    what = f"{data['steps']} steps of training shared out among several processes, in double precision, held against one"
    told = f"the largest difference of any weight: {double}"
    return [(what, told), ("the same in single precision, in which rounding grows", f"{rounded}; {backward}")]


def _none(count: int, what: str) -> str:
    return f"{count or 'none'} {what}"
