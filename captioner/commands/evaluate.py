"""`evaluate`: a split of a data set through the decoders, every metric with its interval; on request it chooses the beam."""

import re
from argparse import ArgumentParser
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from captioner.commands import arguments, card, choices
from captioner.commands.report import note, print_json, print_table, with_interval
from captioner.config import JOINED, STANDARD, find_variant
from captioner.errors import ConfigError

if TYPE_CHECKING:
    from captioner.captioning.captioner import Captioner
    from captioner.data.datasets import Dataset, Record
    from captioner.scoring.evaluation import BeamTrials, Evaluation, Subjects

KEPT_NAME = re.compile(r"[a-z0-9][a-z0-9-]*")
SUMMARY = "caption a split of a data set and score the captions"


@dataclass(frozen=True, kw_only=True)
class Request(arguments.Request, arguments.Decoders):
    data: str
    split: str
    variant: list[str]
    beam: int | None
    length_preference: float | None
    choose: bool
    keep: str | None
    cache: Path | None


def add_arguments(parser: ArgumentParser) -> None:
    arguments.data(parser, "or the word shapes")
    parser.add_argument("--split", choices=("dev", "test"), required=True, help="choose on dev, report test")
    arguments.decoders(parser)
    arguments.variants(parser)
    arguments.beam(parser)
    preference = "the higher, the longer the captions (default: the decoders' own)"
    parser.add_argument("--length-preference", type=arguments.number(float, -10, 10), metavar="X", help=preference)
    parser.add_argument(
        "--choose", action="store_true", help="first try beams and length preferences, and keep the best as the decoders' own"
    )
    kept = "put the decoders' settings, history and scores on dev, without weights, among what was tried"
    parser.add_argument("--keep", metavar="NAME", help=kept)
    arguments.cache(parser)


def run(options: Request) -> int:
    from captioner.config import SHIPPED
    from captioner.data.datasets import resplit
    from captioner.experiments.records import keep
    from captioner.scoring.evaluation import Subjects, evaluate
    from captioner.vision.feature_cache import FeatureCache

    if options.keep and (options.split != "dev" or not KEPT_NAME.fullmatch(options.keep)):
        raise ConfigError(
            "What was tried is kept with its scores on dev, under a name of small letters, digits and hyphens; it was given "
            f"{options.split} and {options.keep!r}."
        )
    if options.choose:
        _check_choosing(options)
    joined = choices.trained_on_dev(options, choices.variants(options.variant))
    if joined and (options.choose or options.keep):
        raise ConfigError(f"{choices.SEEN_DEV}, so nothing is chosen or kept by scores there; score them with --split test.")
    config, data = choices.search_config(options, options.beam, options.length_preference), choices.dataset(options.data)
    captioner = choices.captioner(options, choices.variants(options.variant))
    subjects = Subjects.of(data.split(options.split), FeatureCache(choices.cache(options.cache), captioner.encoder))
    _tell_failed(subjects)
    tried = _choose(options, captioner, subjects, data.name) if options.choose else None
    evaluation = tried.best if tried else evaluate(captioner, subjects, config)
    (_print_json if options.json else _print_text)(options, data, subjects, evaluation, tried, captioner.stage)
    if options.keep:
        for name in evaluation.scores:
            keep(SHIPPED, options.keep, choices.decoders(options) / name, data.name, evaluation.summary(name))
    elif joined and options.split == "dev":
        note(f"{choices.SEEN_DEV}: these scores say nothing of others and are not stored; --split test tells more.")
    elif _may_store(options, data.name, evaluation):
        _store(options, data.name, subjects, evaluation, resplit(data, JOINED if joined else STANDARD).split("train"))
        card.keep(choices.decoders(options))
    return 0


def _check_choosing(options: Request) -> None:
    if options.split != "dev":
        raise ConfigError(f"A search setting is chosen on dev, never on {options.split}; give --split dev.")
    if options.beam is not None or options.length_preference is not None or choices.variants(options.variant):
        raise ConfigError("--choose finds one setting for all decoders; leave out --variant, --beam and --length-preference.")


def _tell_failed(subjects: "Subjects") -> None:
    for reason in subjects.failed.values():
        note(f"Left out: {reason}")
    if subjects.failed:
        note(f"Photographs left out: {len(subjects.failed)}; scored: {len(subjects.records)}.")


def _choose(options: Request, captioner: "Captioner", dev: "Subjects", data: str) -> "BeamTrials":
    from captioner.scoring.evaluation import choose_beam, save_beam, search_of_recipe

    folder = choices.decoders(options)
    tried = choose_beam(captioner, dev, search_of_recipe(folder))
    save_beam(folder, tried, data)
    return tried


def _may_store(options: Request, data: str, evaluation: "Evaluation") -> bool:
    """Whether these are the scores of the decoders as everybody uses them, on the data that their other scores are of."""
    from captioner.scoring.evaluation import load_scores, load_search_config

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


def _store(
    options: Request, data: str, subjects: "Subjects", evaluation: "Evaluation", training: Sequence["Record"]
) -> None:
    """Keep the scores beside the decoders and, where all of them were scored, what the scores mean beside each other."""
    from captioner.scoring.comparison import compare, complete, save_comparison, subject
    from captioner.scoring.evaluation import save_scores

    folder, variants = choices.decoders(options), tuple(evaluation.scores)
    save_scores(folder, options.split, data, evaluation)
    if not complete(folder, variants):
        note("No comparison is stored: that takes all decoders of the folder, and two or more.")
        return
    note("Scoring people, and one sentence for every photograph, in the same way.")
    of = subject(folder, data, evaluation.summary(variants[0]), variants)
    save_comparison(folder, options.split, compare(of, evaluation, subjects, training))


def _print_json(
    options: Request, data: "Dataset", subjects: "Subjects", evaluation: "Evaluation", tried: "BeamTrials | None", stage: str
) -> None:
    variants = {name: evaluation.summary(name) | {"captions": captions} for name, captions in evaluation.captions.items()}
    result: dict[str, Any] = {
        "data": data.name,
        "split": options.split,
        "stage": stage,
        "beam": evaluation.config.beam,
        "length_preference": evaluation.config.length_preference,
        "failed": dict(subjects.failed),
        "variants": variants,
        "differences": [
            {"first": first, "second": second, "metrics": {name: found._asdict() for name, found in metrics.items()}}
            for (first, second), metrics in evaluation.differences.items()
        ],
    }
    print_json(result | ({"trials": tried.table()} if tried else {}))


def _print_text(
    options: Request, data: "Dataset", subjects: "Subjects", evaluation: "Evaluation", tried: "BeamTrials | None", stage: str
) -> None:
    if tried:
        _print_trials(tried)
    setting = f"beam {evaluation.config.beam}, length preference {evaluation.config.length_preference:g}, stage {stage}"
    print(f"{data.name}, {options.split}: {len(subjects.records)} photographs, {setting}; 95% intervals in brackets")
    print()
    print_table({find_variant(variant).title: _cells(evaluation, variant) for variant in evaluation.scores})
    if evaluation.differences:
        print("\nDifferences on the same photographs; an interval without 0 is no accident\n")
        print_table(
            {
                f"{find_variant(first).title} - {find_variant(second).title}": {
                    name: with_interval(found.value, (found.low, found.high)) for name, found in metrics.items()
                }
                for (first, second), metrics in evaluation.differences.items()
            }
        )


def _cells(evaluation: "Evaluation", variant: str) -> dict[str, str]:
    intervals = evaluation.intervals[variant]
    return {name: with_interval(value, intervals.get(name)) for name, value in evaluation.scores[variant].metrics.items()}


def _print_trials(tried: "BeamTrials") -> None:
    rows = [(f"beam {trial.config.beam}, length preference {trial.config.length_preference:g}", trial) for trial in tried.trials]
    columns = {"mean CIDEr": {name: f"{trial.mean_cider:.4f}" for name, trial in rows}}
    for variant in tried.best.scores:
        columns[find_variant(variant).title] = {name: f"{trial.scores[variant].metrics['cider']:.4f}" for name, trial in rows}
    print_table(columns)
    print()
