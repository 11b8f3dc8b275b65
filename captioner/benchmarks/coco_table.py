"""What COCO would cost, as sentences and a table for people; the figures are those of `captioner.benchmarks.coco_cost`."""

from collections.abc import Mapping
from typing import Any

from captioner.errors import CheckpointError

COLUMNS = ("workers", "network", "hours an epoch", "… with larger steps", "hours to make the features, once")


def told(found: Mapping[str, Any]) -> str:
    """What the table rests on."""
    measured, coco = found["workers"], found["coco"]
    at_once = f"{coco['photographs_at_once']} photographs"
    sums = " and ".join(f"{ms:.0f} ms between {count} processes" for count, ms in measured["all_reduce_ms"].items())
    return (
        f"Measured on {measured['cores']} cores with the preset {measured['preset']} and {measured['photographs']:,} "
        f"photographs: of a step on {at_once} the gradients take {measured['gradient_ms']['1']:.0f} ms and the optimizer "
        f"{measured['move_ms']:.0f} ms; adding up {measured['parameters'] / 1e6:.1f} million numbers takes {sums} of that "
        f"machine. COCO's {coco['photographs']:,} training photographs with {coco['captions']} captions each make "
        f"{coco['cache_gb']:.0f} GB of features ({coco['views']} views of each) and take {coco['memory_gb']:.1f} GB of memory in "
        f"every process, for the features are looked up in files. With a vocabulary of {coco['vocabulary']:,} words "
        f"{coco['parameters'] / 1e6:.1f} million numbers are added up, and the gradients are "
        f"{coco['times_the_gradients']:.2f} times as much to compute. The hours follow from these, for workers that are each a "
        f"machine like the one measured: first with the same {at_once} a step, shared out, then with {at_once} for each worker, "
        "which is another training. Those of making features are so few where all workers share one cache folder; where each has "
        "its own, everyone makes all of them. Left out are the loss on dev, putting down the state after every epoch, and what "
        "a disk takes longer to fetch features than the memory of the machine measured."
    )


def rows(found: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """Cells under `COLUMNS`."""
    return [
        (
            str(row["workers"]),
            f"{row['gbit_per_second']:g} Gbit/s" if row["gbit_per_second"] else "none",
            *(f"{row[name]:.1f}" for name in ("hours_shared", "hours_whole", "hours_encoding")),
        )
        for row in found["coco"]["rows"]
    ]


def table(found: Mapping[str, Any]) -> str:
    """For a terminal."""
    lines = [COLUMNS, *rows(found)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines)


def for_readme(found: Mapping[str, Any]) -> tuple[str, str]:
    """The sentences, and the table in the README's way of writing."""
    try:
        lines = [COLUMNS, ("---",) * len(COLUMNS), *rows(found)]
        return told(found), "".join(f"| {' | '.join(line)} |\n" for line in lines)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise CheckpointError("The file of the bench of workers is not what its command prints; make it again.") from error
