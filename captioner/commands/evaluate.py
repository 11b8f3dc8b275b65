"""`evaluate`: score the decoders on a split of a data set with 95% intervals; `--choose` also chooses the beam."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from captioner.commands import arguments, card, choices
from captioner.commands.report import note, print_json, print_table, with_interval
from captioner.config import JOINED, STANDARD, find_variant
from captioner.errors import ConfigError

if TYPE_CHECKING:
    from captioner.captioning.captioner import Captioner
    from captioner.data.datasets import Record
    from captioner.scoring.evaluation import BeamTrials, Evaluation, Subjects

KEPT_NAME = re.compile(r"[a-z0-9][a-z0-9-]*")
SUMMARY = "caption a split of a data set and score the captions"


@dataclass(frozen=True, kw_only=True)
class Request(arguments.Decoders):
    data: str = arguments.data()
    split: str = arguments.option("dev to choose a setting, test to report", choices=("dev", "test"), required=True)
    variant: list[str] = arguments.variants()
    beam: int | None = arguments.beam()
    length_preference: float | None = arguments.option(
        "higher values favour longer captions (default: the decoders' own)", "X", type=arguments.number(float, -10, 10)
    )
    choose: bool = arguments.switch("try beam sizes and length preferences first, and store the best as the decoders' own")
    keep: str | None = arguments.option(
        "store settings, history and dev scores, without weights, under this name among the tried runs", "NAME"
    )
    cache: Path | None = arguments.cache()


def run(options: Request) -> int:
    from captioner.config import SHIPPED
    from captioner.data.datasets import resplit
    from captioner.experiments.records import keep
    from captioner.scoring.evaluation import Subjects, evaluate
    from captioner.vision.feature_cache import FeatureCache

    joined = _check(options)
    config, data = choices.search_config(options, options.beam, options.length_preference), choices.dataset([options.data])
    captioner = choices.captioner(options, choices.variants(options.variant))
    subjects = Subjects.of(data.split(options.split), FeatureCache(choices.cache(options.cache), captioner.encoder))
    _report_failed(subjects)
    tried = _choose(options, captioner, subjects, data.name) if options.choose else None
    evaluation = tried.best if tried else evaluate(captioner, subjects, config)
    if options.json:
        _print_json(options.split, data.name, subjects, evaluation, tried, captioner.stage)
    else:
        _print_text(f"{data.name}, {options.split}", evaluation, tried, captioner.stage)
    if options.keep:
        for name in evaluation.scores:
            keep(SHIPPED, options.keep, choices.decoders(options) / name, data.name, evaluation.summary(name))
    elif joined and options.split == "dev":
        note(f"{choices.TRAINED_ON_DEV}: these scores say nothing about unseen photographs and are not stored; use --split test.")
    elif _may_store(options, data.name, evaluation):
        _store(options, data.name, subjects, evaluation, resplit(data, JOINED if joined else STANDARD).split("train"))
        card.keep(choices.decoders(options))
    return 0


def _check(options: Request) -> bool:
    """Reject options that do not go together; return whether the decoders were trained on dev, too."""
    if options.keep and (options.split != "dev" or not KEPT_NAME.fullmatch(options.keep)):
        raise ConfigError(
            "--keep needs --split dev and a name of lower-case letters, digits and hyphens, but got "
            f"{options.split} and {options.keep!r}."
        )
    if options.choose and options.split != "dev":
        raise ConfigError(f"A search setting is chosen on dev, never on {options.split}; give --split dev.")
    variants = choices.variants(options.variant)
    if options.choose and (variants or options.beam is not None or options.length_preference is not None):
        raise ConfigError("--choose finds one setting for all decoders; leave out --variant, --beam and --length-preference.")
    joined = choices.trained_on_dev(options, variants)
    if joined and (options.choose or options.keep):
        raise ConfigError(f"{choices.TRAINED_ON_DEV}, so dev scores cannot choose or keep anything; use --split test.")
    return joined


def _report_failed(subjects: "Subjects") -> None:
    for reason in subjects.failed.values():
        note(f"Left out: {reason}")
    if subjects.failed:
        note(f"Photographs left out: {len(subjects.failed)}; scored: {len(subjects.records)}.")


def _choose(options: Request, captioner: "Captioner", dev: "Subjects", data: str) -> "BeamTrials":
    from captioner.captioning.search_settings import preset_search_config
    from captioner.scoring.evaluation import choose_beam, save_beam

    folder = choices.decoders(options)
    tried = choose_beam(captioner, dev, preset_search_config(folder))
    save_beam(folder, tried, data)
    return tried


def _may_store(options: Request, data: str, evaluation: "Evaluation") -> bool:
    """Whether the scores are of the decoders' own search setting, on the data set of their stored scores."""
    from captioner.captioning.search_settings import load_search_config
    from captioner.scoring.evaluation import load_scores

    folder = choices.decoders(options)
    own = load_search_config(folder)
    if evaluation.config != replace(own, alternatives=0):
        setting = f"beam {own.beam}, length preference {own.length_preference:g}, up to {own.maximum_words} words"
        note(f"These scores are not stored: the decoders' own setting is {setting}.")
        return False
    stored = {scores.get("data") for name in evaluation.scores for scores in load_scores(folder, name).values()}
    if stored - {data}:
        note(f"These scores are not stored: {folder.name} holds those of {', '.join(sorted(map(str, stored)))}.")
    return not stored - {data}


def _store(options: Request, data: str, subjects: "Subjects", evaluation: "Evaluation", training: Sequence["Record"]) -> None:
    """Store the scores with the decoders and, if all of them were scored, their comparison."""
    from captioner.scoring.comparison import compare, complete, save_comparison, subject
    from captioner.scoring.evaluation import save_scores

    folder, variants = choices.decoders(options), tuple(evaluation.scores)
    save_scores(folder, options.split, data, evaluation)
    if not complete(folder, variants):
        note("No comparison is stored: it needs all decoders of the folder, and two or more.")
        return
    note("Scoring people and one constant caption in the same way.")
    of = subject(folder, data, evaluation.summary(variants[0]), variants)
    save_comparison(folder, options.split, compare(of, evaluation, subjects, training))


def _print_json(
    split: str, data: str, subjects: "Subjects", evaluation: "Evaluation", tried: "BeamTrials | None", stage: str
) -> None:
    from captioner.scoring.evaluation import pairs_to_json, setting

    captions = evaluation.captions.items()
    result = {"data": data, "split": split, "stage": stage, **setting(evaluation.config), "failed": dict(subjects.failed)}
    result["variants"] = {name: evaluation.summary(name) | {"captions": texts} for name, texts in captions}
    result["differences"] = pairs_to_json(evaluation.differences)
    print_json(result | ({"trials": tried.table()} if tried else {}))


def _print_text(title: str, evaluation: "Evaluation", tried: "BeamTrials | None", stage: str) -> None:
    if tried:
        _print_trials(tried)
    images = len(next(iter(evaluation.captions.values())))
    print(f"{title}: {images} photographs, {_setting(evaluation)}, stage {stage}; 95% intervals in brackets\n")
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


def _setting(evaluation: "Evaluation") -> str:
    return f"beam {evaluation.config.beam}, length preference {evaluation.config.length_preference:g}"


def _cells(evaluation: "Evaluation", variant: str) -> dict[str, str]:
    intervals = evaluation.intervals[variant]
    return {name: with_interval(value, intervals.get(name)) for name, value in evaluation.scores[variant].metrics.items()}


def _print_trials(tried: "BeamTrials") -> None:
    columns = {"mean CIDEr": {_setting(trial): f"{trial.mean_cider:.4f}" for trial in tried.trials}}
    for variant in tried.best.scores:
        ciders = {_setting(trial): f"{trial.scores[variant].metrics['cider']:.4f}" for trial in tried.trials}
        columns[find_variant(variant).title] = ciders
    print_table(columns)
    print()
