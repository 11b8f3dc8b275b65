"""How decoders name objects that were withheld from their training: the records as a table, a row for each decoder."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from statistics import fmean
from typing import Any

from captioner.experiments.object_naming import FREE
from captioner.experiments.plans import Trial
from captioner.experiments.records import Record
from captioner.experiments.withheld import Part
from captioner.figures.style import number

Row = dict[str, str]


def rows(records: Sequence[Record]) -> list[Row]:
    """Means over the seeds of each decoder, over all objects' photographs together; the free search before the forced one."""
    groups: dict[Trial, list[Record]] = {}
    for record in records:
        if not record.gave_up:
            groups.setdefault(replace(record.trial, seed=1), []).append(record)
    found = [_row(group, search) for group in groups.values() for search in {one["search"]: 0 for one in group[0].objects}]
    return sorted(found, key=lambda row: (row["word slots"] != "none", row["search"] != FREE))


def by_object(records: Sequence[Record], plan: str) -> Iterator[dict[str, Any]]:
    """A row for each record, search and object, as the command prints them."""
    for record in records:
        part, slots = Part.read(record.part), record.trial.settings.decoder.word_slots
        own = {"plan": plan, "variant": record.variant, "slots": slots, "shots": part.shots, "seed": record.seed}
        for one in record.objects:
            yield own | {name: value for name, value in one.items() if not isinstance(value, list)}


def _row(group: Sequence[Record], search: str) -> Row:
    first = group[0]
    own = [[one for one in record.objects if one["search"] == search] for record in group]
    return {
        "word slots": str(first.trial.settings.decoder.word_slots or "none"),
        "photographs of each object": str(Part.read(first.part).shots),
        "search": search,
        "vectors": first.title,
        "seeds": str(len(group)),
        "names the object": _share(own, "named"),
        "in a sound sentence": _share(own, "sound"),
        "F1": number(fmean(f1)) if (f1 := [one["f1"] for objects in own for one in objects if one.get("f1") is not None]) else "",
        "CIDEr of their photographs": number(fmean(weighted(objects, "cider_object") for objects in own)),
        "CIDEr of all others": number(fmean(objects[0]["cider_other"] for objects in own)),
    }


def _share(own: Sequence[Sequence[dict[str, Any]]], name: str) -> str:
    return f"{fmean(weighted(objects, name) for objects in own):.1%}"


def weighted(objects: Sequence[dict[str, Any]], name: str) -> float:
    """A share over all photographs of the objects together."""
    total = sum(one["photographs"] for one in objects)
    return sum((one[name] or 0) * one["photographs"] for one in objects) / total if total else 0.0
