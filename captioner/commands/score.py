"""`score`: the metrics of a file of captions against the references of a data set."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from captioner.commands import arguments, choices
from captioner.commands.report import print_json, print_table, with_interval
from captioner.errors import DatasetError

if TYPE_CHECKING:
    from captioner.data.datasets import Dataset

SUMMARY = "score captions from any source"


@dataclass(frozen=True, kw_only=True)
class Request(arguments.Request):
    data: str = arguments.data("; its captions are the references")
    images: Path = arguments.path("names of photographs, one per line", "LIST", required=True)
    captions: Path = arguments.path("captions, one per line, in the order of LIST", "FILE", required=True)


def run(options: Request) -> int:
    from captioner.scoring.bootstrap import interval
    from captioner.scoring.metrics import Scorer

    names, captions = _names(options.images), _lines(options.captions)
    if len(names) != len(captions):
        raise DatasetError(
            f"{options.images.name} has {len(names)} lines, but {options.captions.name} has {len(captions)} lines; "
            "give one caption on the line of each image."
        )
    scores = Scorer(_references(choices.dataset([options.data]), names)).score(captions)
    intervals = interval(scores)
    if options.json:
        print_json({"images": len(names), "metrics": scores.metrics, "intervals": intervals})
    else:
        cells = {name: with_interval(value, intervals.get(name)) for name, value in scores.metrics.items()}
        print_table({f"{len(names)} images, 95% intervals": cells})
    return 0


def _references(data: "Dataset", names: Sequence[str]) -> list[tuple[str, ...]]:
    captions = {record.name: record.captions for records in data.splits.values() for record in records}
    unknown = [name for name in names if name not in captions]
    if unknown:
        raise DatasetError(
            f"The data set {data.name} has no photograph '{unknown[0]}' with captions ({len(unknown)} of {len(names)} names are "
            "unknown); use the data set's own names."
        )
    return [captions[name] for name in names]


def _names(path: Path) -> list[str]:
    """The lines of a list of names, without empty lines at the end."""
    return [line.strip() for line in "\n".join(_lines(path)).rstrip().split("\n")]


def _lines(path: Path) -> list[str]:
    """Every line, including empty ones, since a caption may be empty."""
    from captioner.data.dataset_formats import read_text

    return read_text(path).replace("\r\n", "\n").removesuffix("\n").split("\n")
