"""The stress tests in tests/hardening as rows of a table: each test and its result, from the files that its command wrote."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from captioner.errors import CheckpointError
from captioner.storage import read_json

FILES, FUZZ, LOAD, CRASHES, WORKERS = (f"survived-{name}.json" for name in ("files", "fuzz", "load", "crashes", "workers"))
SERVED = "served.json"
Row = tuple[str, str]
Result = Mapping[str, Any]


def rows(folder: Path) -> list[Row]:
    """Test and result for every file that is there."""
    return [row for name, tell in _TELLERS.items() if (folder / name).is_file() for row in _told(folder / name, tell)]


def _told(path: Path, tell: Callable[[Result], list[Row]]) -> list[Row]:
    try:
        return tell(read_json(path))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise CheckpointError(f"The file {path.name} is not the output of its command; write it again.") from error


def _files(data: Result) -> list[Row]:
    ways = {"library": "the library", "command": "the command line", "page": "the page"}
    return [_door(data[way], title) for way, title in ways.items() if way in data]


def _door(found: Result, way: str) -> Row:
    files = found["captioned"] + found["refused"]
    return (
        f"{files:,} hostile files (damaged, decompression bombs, not pictures) through {way}",
        f"{found['captioned']:,} captioned, {found['refused']:,} rejected, {len(found['problems'])} problems; "
        f"slowest {found['longest_s']:.2g} s, peak memory {found['most_mb']:.0f} MB",
    )


def _fuzz(data: Result) -> list[Row]:
    files = f"{data['files_tried']:,} files from a fuzzer in {data['seconds'] / 60:.0f} minutes"
    return [(files, f"{len(data['broken_by'])} crashes")]


def _load(data: Result) -> list[Row]:
    minutes, beside = data["seconds_each"] / 60, data["beside_a_batch_of_50"]
    visits = [
        (
            f"Simultaneous visitors for {minutes:.0f} minutes: {visitors}",
            f"{part['a_second']:.2g} photographs per second, 95% within {part['p95_ms'] / 1000:.2g} s, "
            f"{part['errors']} errors, memory {part['memory_mb_more']:+d} MB",
        )
        for visitors, part in data["visitors"].items()
    ]
    waits = f"{beside['beside_median_ms']} ms; alone {beside['alone_median_ms']} ms (medians)"
    return [*visits, _compared(data), ("One photograph while another visitor captions 50", waits)]


def _compared(data: Result) -> Row:
    answers = f"{data['answers_held_against_the_library']:,} of those answers compared with the library's for one photograph"
    return answers, f"{data['wrong_answers']} differ"


def _served(data: Result) -> list[Row]:
    found = data["together"]
    waits = ", ".join(f"{percent}% within {found[f'p{percent}_ms'] / 1000:.2g} s" for percent in (50, 95, 99))
    speed = f"{found['a_second']:.0f} photographs per second, {data['gain']:.1f} times one client"
    clients = f"{data['clients']} clients at once at the HTTP service for {data['seconds']:.0f} s"
    return [(clients, f"{speed}; {waits}; {found['lost']} lost"), _compared(data)]


def _crashes(data: Result) -> list[Row]:
    moments = ", ".join(f"{times} while {what}" for what, times in data["killed_while"].items())
    result = (
        f"{data['unreadable_or_not_gone_on_with']} runs unreadable or lost, {data['ended_with_other_weights']} with other "
        f"final weights, {data['temporary_files_left']} with temporary files left"
    )
    return [(f"`kill -9` at {data['kills']} random moments of training ({moments})", result)]


def _workers(data: Result) -> list[Row]:
    """Double precision must agree; in single precision the order of a sum changes its rounding."""
    single = data["in_single_precision"]
    double, rounded = (
        ", ".join(f"{part['largest_difference']:.1g} with {count}" for count, part in found["processes"].items())
        for found in (data, single)
    )
    backward = f"{single['one_backward']['largest_difference']:.1g} with one that reverses the photographs of each step"
    return [
        (
            f"{data['steps']} training steps by several processes against one process, double precision",
            f"largest difference of a weight: {double}",
        ),
        ("The same in single precision, where rounding grows", f"{rounded}; {backward}"),
    ]


_TELLERS = {FILES: _files, FUZZ: _fuzz, LOAD: _load, SERVED: _served, CRASHES: _crashes, WORKERS: _workers}
