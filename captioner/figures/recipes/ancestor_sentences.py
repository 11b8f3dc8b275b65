"""What the table of the older recipes says, in sentences; every figure in them is computed from the records."""

from collections.abc import Sequence
from statistics import fmean

from captioner.config import FIRST, VARIANTS
from captioner.experiments.conclusions import Group, Study
from captioner.experiments.plans import RECIPES
from captioner.experiments.records import Record
from captioner.figures.recipes.recipe_table import relative_of, score, table_records
from captioner.figures.scores.published import OTHER_BLEU, PUBLISHED_ON, System
from captioner.figures.scores.scoreboard import VERDICT_METRIC
from captioner.figures.style import listed, number
from captioner.presets import OLDER_RECIPES, find_preset

NONE_YET = (
    "None of the recipes that this program descends from has been trained on these data yet; python -m captioner study --plan recipes "
    "--data DIR trains and scores them."
)
CLOSE = 0.03  # So far below its relative in CIDEr a recipe may lie and still be called like it.
_OURS = find_preset("triptych-frozen")
_RELATIVE = "the published systems in which the photograph enters in the same way"
_TRIED = ("show-and-tell", "resnet152-lstm")  # Their largest step was chosen on dev; see `captioner.presets`.


def sentences(records: Sequence[Record], study: Study | None = None) -> list[str]:
    """What the table says; nothing that takes a training which is not there."""
    told = [held_against(records), conditions(records), descendant(records, study), relu_note(records), splits_note(records)]
    return list(filter(None, told))


def held_against(records: Sequence[Record]) -> str:
    """Each recipe's mean over its embeddings against its published relative."""
    above, near, below, roughly = [], [], [], []
    for preset, group in _by_recipe(records).items():
        relative = relative_of(group[0])
        if relative and VERDICT_METRIC in relative.metrics:
            own, other = _mean(group, VERDICT_METRIC), relative.metrics[VERDICT_METRIC]
            place = above if own >= other else near if own >= other - CLOSE else below
            place.append(f"{preset} {number(own)} ({relative.title}: {number(other)})")
        elif relative:
            roughly.append(_roughly(preset, _mean(group, "bleu4"), relative))
    told = [
        f"Test CIDEr, mean over the embeddings, against {_RELATIVE}." if above or near or below else "",
        f"As good or better: {listed(above)}." if above else "",
        f"Worse by {CLOSE:g} or less: {listed(near)}." if near else "",
        f"Worse by more: {listed(below)}." if below else "",
    ]
    return " ".join(filter(None, [*told, *roughly]))


def _by_recipe(records: Sequence[Record]) -> dict[str, list[Record]]:
    found = table_records(records)
    return {name: group for name in OLDER_RECIPES if (group := [one for one in found if one.trial.preset == name])}


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
    alike = {(one.data, one.encoder) for one in found} == {(PUBLISHED_ON[0], _OURS.encoder)}
    groups = [one for one in study.stage(FIRST) if one.variant.name in VARIANTS] if study and alike else []
    same, own = ([one for one in groups if one.on_original_encoder == original] for original in (True, False))
    if not (same and own):
        return ""
    return (
        "What they led to is this program’s own recipe. Its mean test CIDEr after the first stage: on the same CNN "
        f"{_means(same)}; on the adapted one {_means(own)}. In training it is shown {_OURS.training.views} views of each "
        f"photograph, the older ones {_views()}, and how it looks for captions was chosen on dev."
    )


def _means(groups: Sequence[Group]) -> str:
    means = listed([f"{one.variant.title} {number(one.numbers['test'][VERDICT_METRIC][0])}" for one in groups])
    return f"{means} (seeds: {' or '.join(sorted({str(len(one.seeds)) for one in groups}))})"


def _views() -> str:
    return " or ".join(sorted({str(find_preset(name).training.views) for name in OLDER_RECIPES}))


def conditions(records: Sequence[Record]) -> str:
    found = table_records(records)
    if not found:
        return ""
    encoders, cores = ({getattr(one, name) for one in found} for name in ("encoder", "cores"))
    few, many = min(cores), max(cores)
    on = f"{few} core{'s' * (few > 1)}" if few == many else f"{few} to {many} cores"
    told = (
        f"All look through {listed(sorted(encoders))}; each row is one training (seed 1) on {on}, and its 95% intervals are from "
        "drawing the photographs again. The shape, the dropout, the words and the search are the recipe’s own, and the search "
        "was not chosen on dev. How steps are taken is this program’s, the same for all but for the largest step, which was "
        f"chosen on dev for {listed(_TRIED)}."
    )
    return " ".join([told, *_makes(found)])


def _makes(found: Sequence[Record]) -> list[str]:
    """Through what the published relatives looked, and of how many trainings their figures are."""
    by_make: dict[tuple[str, int], list[str]] = {}
    for one in {one.title: one for one in map(relative_of, found) if one}.values():
        by_make.setdefault((one.cnn, one.trainings), []).append(one.title)
    told = []
    for (cnn, trainings), titles in by_make.items():
        figures = f"the mean of {trainings} trainings" if trainings > 1 else "of one training"
        each = "each " if trainings > 1 and len(titles) > 1 else ""
        told.append(f"{listed(titles)} looked through an older CNN, {cnn}; the figures are {each}{figures}.")
    return told


def relu_note(records: Sequence[Record]) -> str:
    """What ReLU in place of the hyperbolic tangent did to the training of four LSTMs."""
    tanh, relu, _ = _notes(records)
    if not (tanh and relu) or tanh.gave_up:
        return ""
    opening = "The stacked recipe with ReLU in its LSTMs in place of the hyperbolic tangent, both with Word2Vec,"
    if relu.gave_up:
        epochs = f"{len(relu.losses)} whole epoch{'s' * (len(relu.losses) != 1)}"
        return f"{opening} could not be trained to its end: after {epochs} its loss ran away."
    losses = [min(dev for _, dev in one.losses) for one in (relu, tanh)]
    first = [one.losses[0][0] for one in (relu, tanh)]
    ciders = [score(one, "test", VERDICT_METRIC) for one in (relu, tanh)]
    return (
        f"{opening} comes to a dev loss of {number(losses[0])} instead of {number(losses[1])} and a test CIDEr of {ciders[0]} "
        f"instead of {ciders[1]}; the training loss of its first epoch is {number(first[0])} instead of {number(first[1])}. "
        f"{_doubt(relu, tanh)}"
    )


def _notes(records: Sequence[Record]) -> list[Record | None]:
    """Of `stacked`: as it is, with ReLU, and by the other split."""
    found = {record.trial: record for record in records}
    return [found.get(trial) for trial in RECIPES.trials(["notes"])]


def _doubt(one: Record, other: Record) -> str:
    """How much a difference of two trainings says."""
    (low, high), (other_low, other_high) = (each.scores["test"].intervals[VERDICT_METRIC] for each in (one, other))
    overlap = low <= other_high and other_low <= high
    return f"That is one training of each{', and the intervals overlap' if overlap else ''}."


def splits_note(records: Sequence[Record]) -> str:
    """What a thousand training photographs more are worth, by the other way to split."""
    plain, _, joined = _notes(records)
    if not (plain and joined) or plain.gave_up or joined.gave_up:
        return ""
    test, plain_test = (score(one, "test", VERDICT_METRIC) for one in (joined, plain))
    photographs = f"{joined.trained_on:,} photographs in place of {plain.trained_on:,}"
    words = f"{joined.words:,} words in place of {plain.words:,}"
    return (
        f"Trained on train and dev together ({photographs}, {words}) the stacked recipe with Word2Vec reaches a test CIDEr of "
        f"{test} instead of {plain_test}. {_doubt(joined, plain)} Dev, by which it stops, is then no longer unseen."
    )
