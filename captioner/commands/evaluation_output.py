"""The output of `evaluate`: scores by data set, tried search settings, and how often captions name the object of a label."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from captioner.commands.report import print_table, with_interval
from captioner.config import find_variant

if TYPE_CHECKING:
    from captioner.data.datasets import Dataset
    from captioner.scoring.evaluation import BeamTrial, BeamTrials, Evaluation, Subjects
    from captioner.scoring.labelled import LabelledEvaluation


@dataclass(frozen=True, eq=False)
class Scored:
    """The decoders' scores on a split of one data set."""

    data: "Dataset"
    subjects: "Subjects"
    evaluation: "Evaluation"
    split: str
    stage: str


def to_json(
    scored: Sequence[Scored], tried: "BeamTrials | None", labelled: "LabelledEvaluation | None"
) -> dict[str, Any]:
    """The results of a single data set, or the results of several by name."""
    sets = {one.data.name: _set_to_json(one) for one in scored}
    result: dict[str, Any] = {"sets": sets} if len(sets) > 1 else dict(*sets.values())
    if tried:
        result["trials"] = tried.table()
    if labelled:
        result["labelled"] = {
            name: labelled.summary(name) | {"captions": dict(texts)} for name, texts in labelled.captions.items()
        }
    return result


def _set_to_json(one: Scored) -> dict[str, Any]:
    from captioner.scoring.evaluation import pairs_to_json, setting

    evaluation, captions = one.evaluation, one.evaluation.captions.items()
    result = {"data": one.data.name, "split": one.split, "stage": one.stage, **setting(evaluation.config)}
    result |= {"failed": dict(one.subjects.failed)}
    result["variants"] = {name: evaluation.summary(name) | {"captions": texts} for name, texts in captions}
    return result | {"differences": pairs_to_json(evaluation.differences)}


def print_text(scored: Sequence[Scored], tried: "BeamTrials | None", labelled: "LabelledEvaluation | None") -> None:
    """The tried settings, then one block for each data set, then the labels."""
    if tried:
        _print_trials(tried)
    for number, one in enumerate(scored):
        print("\n" * (number > 0), end="")
        _print_set(one)
    if labelled:
        print("\n" * bool(scored), end="")
        _print_labelled(labelled)


def _print_labelled(labelled: "LabelledEvaluation") -> None:
    images = len(next(iter(labelled.captions.values())))
    print(f"{labelled.data}, labels: {images} photographs held out of training, {_setting(labelled)}\n")
    print_table({find_variant(name).title: {"names the object": f"{share:.3f}"} for name, share in labelled.shares.items()})


def _print_set(one: Scored) -> None:
    evaluation = one.evaluation
    images = len(next(iter(evaluation.captions.values())))
    title = f"{one.data.name}, {one.split}: {images} photographs, {_setting(evaluation)}, stage {one.stage}"
    print(f"{title}; 95% intervals in brackets\n")
    print_table({find_variant(variant).title: _cells(evaluation, variant) for variant in evaluation.scores})
    if evaluation.differences:
        print("\nDifferences on the same photographs; significant if the interval excludes 0\n")
        print_table(
            {
                f"{find_variant(first).title} - {find_variant(second).title}": {
                    name: with_interval(found.value, (found.low, found.high)) for name, found in metrics.items()
                }
                for (first, second), metrics in evaluation.differences.items()
            }
        )


def _setting(found: "Evaluation | BeamTrial | LabelledEvaluation") -> str:
    return f"beam {found.config.beam}, length preference {found.config.length_preference:g}"


def _cells(evaluation: "Evaluation", variant: str) -> dict[str, str]:
    intervals = evaluation.intervals[variant]
    return {name: with_interval(value, intervals.get(name)) for name, value in evaluation.scores[variant].metrics.items()}


def _print_trials(tried: "BeamTrials") -> None:
    columns = {"mean CIDEr": {_setting(trial): f"{trial.mean_cider:.4f}" for trial in tried.trials}}
    for variant in tried.best.metrics:
        ciders = {_setting(trial): f"{trial.metrics[variant]['cider']:.4f}" for trial in tried.trials}
        columns[find_variant(variant).title] = ciders
    print_table(columns)
    print()
