"""Notes on the table of older recipes: sentences written for the records that ship, with the numbers of the records."""

from collections.abc import Sequence
from itertools import groupby
from statistics import fmean

from captioner.config import FIRST, VARIANTS
from captioner.experiments.conclusions import Group, Study
from captioner.experiments.plans import RECIPES
from captioner.experiments.records import Record
from captioner.figures.recipes.recipe_table import main_metric, relative_of, score, table_records
from captioner.figures.scores.published import OTHER_BLEU, PUBLISHED_ON
from captioner.figures.scores.scoreboard import TITLES, VERDICT_METRIC
from captioner.figures.style import listed, number
from captioner.presets import OLDER_RECIPES, find_preset

NONE_YET = "No older recipe was trained on these data yet; train them with python -m captioner study --plan recipes --data DIR."
_OURS = find_preset("triptych-frozen")
_CHANGES = (  # ReLU, joined splits; 0 is the changed run, 1 the plain one
    "ReLU instead of tanh in the LSTMs of stacked, with Word2Vec: dev loss {0[dev]} instead of {1[dev]}, test CIDEr {0[cider]} "
    "instead of {1[cider]}, training loss of the first epoch {0[first]} instead of {1[first]} (one run each).",
    "Training on train and dev together, stacked with Word2Vec: {0[size]} instead of {1[size]}, test CIDEr {0[cider]} instead "
    "of {1[cider]} (one run each). Dev, which decides when to stop, is then not held out.",
)


def sentences(records: Sequence[Record], study: Study | None = None) -> list[str]:
    """The notes that the records are there for."""
    found = table_records(records)
    told = [compared(found), conditions(found), ours(found, study)] if found else []
    return [text for text in (*told, *changed(records)) if text]


def compared(found: Sequence[Record]) -> str:
    """Each recipe beside its published relative."""
    told = []
    for preset, group in groupby(found, lambda one: one.trial.preset):
        records = list(group)
        if relative := relative_of(records[0]):
            name = main_metric(relative)
            note = "" if name == VERDICT_METRIC else f" by {OTHER_BLEU}; only roughly comparable"
            own = number(fmean(one.metric("test", name) for one in records))
            told.append(f"{preset} {TITLES[name]} {own} ({relative.title}: {number(relative.metrics[name])}{note})")
    beside = "Means over the embeddings on test, beside the published system in which the photograph enters the same way"
    return f"{beside}: {listed(told)}." if told else ""


def conditions(found: Sequence[Record]) -> str:
    """How the recipes and their published relatives were trained."""
    cores = sorted({one.cores for one in found})
    relatives = {one.title: one for one in map(relative_of, found) if one}
    systems = [f"{name} ({one.cnn}, {one.trainings} run{'s' * (one.trainings > 1)})" for name, one in relatives.items()]
    return (
        f"Encoder: {listed(sorted({one.encoder for one in found}))}. Each row is one run (seed 1, CPU cores: "
        f"{' to '.join(map(str, dict.fromkeys((cores[0], cores[-1]))))}); the 95% intervals resample the photographs. "
        "Architecture, dropout, vocabulary and search are the recipe’s; the search was not tuned on dev. Optimizer and "
        "schedule are this project’s; the learning rate was tuned on dev only for show-and-tell and resnet152-lstm."
        + (f" The published systems used older CNNs: {listed(systems)}." if systems else "")
    )


def ours(found: Sequence[Record], study: Study | None) -> str:
    """This project's recipe for Flickr8k alone on both CNNs; nothing if the older ones had other photographs or another CNN."""
    alike = {(one.data, one.encoder) for one in found} == {(PUBLISHED_ON[0], _OURS.encoder)}
    groups = [one for one in study.stage(FIRST) if one.name in VARIANTS] if study and alike else []
    same, own = ([one for one in groups if one.on_original_encoder == original] for original in (True, False))
    if not (same and own):
        return ""
    older = " or ".join(sorted({str(find_preset(name).training.views) for name in OLDER_RECIPES}))
    return (
        f"This project’s recipe for Flickr8k alone reaches a mean test CIDEr after the first stage of {_means(same)} on the same "
        f"CNN, and of {_means(own)} on the fine-tuned one. It trains on {_OURS.training.views} views of each photograph "
        f"instead of {older}, and its search was tuned on dev."
    )


def _means(groups: Sequence[Group]) -> str:
    means = listed([f"{one.variant.title} {number(one.numbers['test'][VERDICT_METRIC][0])}" for one in groups])
    return f"{means} (seeds: {' or '.join(sorted({str(len(one.seeds)) for one in groups}))})"


def changed(records: Sequence[Record]) -> list[str]:
    """Two changes to `stacked`: ReLU in its LSTMs, and training on dev too."""
    finished = {record.trial: record for record in records if not record.gave_up}
    plain, *others = (finished.get(trial) for trial in RECIPES.trials(["notes"]))
    both = [(_measured(one), _measured(plain)) if one and plain else None for one in others]
    return [text.format(*pair) for text, pair in zip(_CHANGES, both, strict=True) if pair]


def _measured(record: Record) -> dict[str, str]:
    return {
        "cider": score(record, "test", VERDICT_METRIC),
        "dev": number(min(dev for _, dev in record.losses)),
        "first": number(record.losses[0][0]),
        "size": f"{record.trained_on:,} photographs and {record.words:,} words",
    }
