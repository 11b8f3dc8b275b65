"""What the table of the older recipes says, in sentences; every figure in them is computed from the records."""

from collections.abc import Sequence
from statistics import fmean
from typing import Any

from captioner.ancestor_records import STACKED, Record
from captioner.config import JOINED, STAGES, STANDARD, VARIANTS
from captioner.figures.ancestors import relative_of, score, table_records
from captioner.figures.published import OTHER_BLEU, PUBLISHED_ON, System
from captioner.figures.scoreboard import VERDICT_METRIC
from captioner.figures.study_file import Study
from captioner.figures.verdict import listed, number
from captioner.presets import ANCESTORS, find_preset

NONE_YET = (
    "None of the recipes that this program descends from has been trained on these data yet; python -m captioner ancestors "
    "--data DIR trains and scores them."
)
CLOSE = 0.03  # So far below its relative in CIDEr a recipe may lie and still be called like it.
_OURS = find_preset("triptych-frozen")


def sentences(records: Sequence[Record], study: Study | None = None) -> list[str]:
    """What the table says; nothing that takes a training which is not there."""
    told = [held_against(records), conditions(records), descendant(records, study), relu_note(records), splits_note(records)]
    return list(filter(None, told))


def held_against(records: Sequence[Record]) -> str:
    """Each recipe's mean over its embeddings against its published relative."""
    groups = {preset: [one for one in table_records(records) if one.ancestor.preset == preset] for preset in ANCESTORS}
    told: dict[bool, list[str]] = {True: [], False: []}
    roughly = []
    for preset, group in groups.items():
        relative = relative_of(group[0]) if group else None
        if relative and VERDICT_METRIC in relative.metrics:
            own, other = _mean(group, VERDICT_METRIC), relative.metrics[VERDICT_METRIC]
            told[own >= other - CLOSE].append(f"{preset} {number(own)} ({relative.title}: {number(other)})")
        elif relative:
            roughly.append(_roughly(preset, _mean(group, "bleu4"), relative))
    opening = (
        "Test CIDEr, mean over the embeddings that were trained, against the published systems in which the photograph enters in "
        "the same way."
    )
    like = f"Within {CLOSE:g} of theirs or above: {listed(told[True])}." if told[True] else ""
    below = f"Further below: {listed(told[False])}." if told[False] else ""
    return " ".join(filter(None, [opening if any(told.values()) else "", like, below, *roughly]))


def _mean(group: Sequence[Record], name: str) -> float:
    return fmean(one.metric("test", name) for one in group)


def _roughly(preset: str, own: float, relative: System) -> str:
    return (
        f"{relative.title}, was published without a CIDEr: its BLEU-4 is {number(relative.metrics['bleu4'])} by {OTHER_BLEU}, "
        f"that of {preset} here {number(own)}; they are only roughly comparable."
    )


def descendant(records: Sequence[Record], study: Study | None) -> str:
    """What the recipe of the study reaches, on the same CNN and on its own; nothing where the older ones had other data."""
    found = table_records(records)
    alike = {(one.data["data"], one.data["encoder"]) for one in found} == {(PUBLISHED_ON[0], _OURS.encoder)}
    groups = [one for one in study.stage(next(iter(STAGES))) if one.variant.name in VARIANTS] if study and alike else []
    on = {apart: [one for one in groups if one.apart == apart] for apart in (True, False)}
    if not all(on.values()):
        return ""
    same, own = (
        listed([f"{one.variant.title} {number(one.numbers['test'][VERDICT_METRIC][0])}" for one in on[apart]]) for apart in on
    )
    return (
        f"What they led to, this program’s own recipe after its first stage, mean test CIDEr over the seeds: {same} on the same "
        f"CNN, {own} on the adapted one. In training it is shown {_OURS.training.views} views of each photograph, the older "
        f"ones {_views()}, and how it looks for captions was chosen on dev."
    )


def _views() -> str:
    return listed(sorted({str(find_preset(name).training.views) for name in ANCESTORS}))


def conditions(records: Sequence[Record]) -> str:
    found = table_records(records)
    if not found:
        return ""
    encoders, cores = ({one.data[name] for one in found} for name in ("encoder", "cores"))
    few, many = min(cores), max(cores)
    on = f"{few} core{'s' * (few > 1)}" if few == many else f"{few} to {many} cores"
    told = (
        f"All look through {listed(sorted(encoders))} and were trained once (seed 1) on {on}; each looks for captions as its "
        "preset says, with a beam and a preference for length that were not chosen on dev. The 95% intervals are from drawing "
        "the photographs again."
    )
    if any(map(relative_of, found)):
        told += " The published ones had another CNN, VGG16 or VGG19, and are means of three trainings or of one."
    return told


def _stacked(records: Sequence[Record], **changes: Any) -> Record | None:
    """The training of `stacked` with Word2Vec that has these changes and no others."""
    wanted = {"activation": "tanh", "splits": STANDARD, "variant": "word2vec", "seed": 1, "preset": STACKED} | changes
    return next((one for one in records if all(getattr(one.ancestor, name) == wanted[name] for name in wanted)), None)


def relu_note(records: Sequence[Record]) -> str:
    """What ReLU in place of the hyperbolic tangent did to the training of four LSTMs."""
    tanh, relu = _stacked(records), _stacked(records, activation="relu")
    if not (tanh and relu) or tanh.gave_up:
        return ""
    opening = "The stacked recipe with ReLU in its LSTMs in place of the hyperbolic tangent"
    if relu.gave_up:
        epochs = f"{len(relu.losses)} whole epoch{'s' * (len(relu.losses) != 1)}"
        return f"{opening} could not be trained to its end: after {epochs} its loss ran away."
    losses = [min(dev for _, dev in one.losses) for one in (relu, tanh)]
    first = [one.losses[0][0] for one in (relu, tanh)]
    ciders = [one.metric("test", VERDICT_METRIC) for one in (relu, tanh)]
    return (
        f"{opening} comes to a dev loss of {number(losses[0])} instead of {number(losses[1])} and a test CIDEr of "
        f"{number(ciders[0])} instead of {number(ciders[1])}; the training loss of its first epoch is {number(first[0])} instead "
        f"of {number(first[1])}. That is one training of each."
    )


def splits_note(records: Sequence[Record]) -> str:
    """What a thousand training photographs more are worth, by the other way to split."""
    plain, joined = _stacked(records), _stacked(records, splits=JOINED)
    if not (plain and joined) or plain.gave_up or joined.gave_up:
        return ""
    many = f"{joined.data['trained_on']:,} photographs in place of {plain.data['trained_on']:,}"
    return (
        f"Trained on train and dev together ({many}) the stacked recipe reaches a test CIDEr "
        f"of {score(joined, 'test', VERDICT_METRIC)} instead of {score(plain, 'test', VERDICT_METRIC)}; dev, by which it "
        "stops, is then no longer unseen."
    )
