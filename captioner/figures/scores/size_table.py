"""What the number of training photographs does to each embedding: the records of the plan as a table."""

from collections.abc import Sequence
from statistics import fmean, stdev

from captioner.config import find_variant
from captioner.experiments.records import Record
from captioner.experiments.withheld import Part
from captioner.figures.style import number


def by_size(records: Sequence[Record]) -> dict[str, dict[str, str]]:
    """By variant, test CIDEr for each number of photographs, with its standard deviation over seeds."""
    found: dict[tuple[str, int], list[Record]] = {}
    for record in records:
        if not record.gave_up:
            found.setdefault((record.variant, Part.read(record.part).photographs), []).append(record)
    table: dict[str, dict[str, str]] = {}
    for (variant, size), group in found.items():
        values = [record.metric("test", "cider") for record in group]
        spread = f" ({number(stdev(values))})" if len(values) > 1 else ""
        heading = f"{size:,}" if size else f"all {group[0].trained_on:,}"
        table.setdefault(find_variant(variant).title, {})[heading] = number(fmean(values)) + spread
    return table
