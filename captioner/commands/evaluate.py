"""`evaluate`: score the decoders on a split of data sets with 95% intervals, and on labels; `--choose` also chooses the beam."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from captioner.commands import arguments, card, choices, evaluation_output
from captioner.commands.evaluation_output import Scored
from captioner.commands.report import note, print_json
from captioner.config import JOINED, STANDARD, SearchConfig
from captioner.errors import ConfigError

if TYPE_CHECKING:
    from captioner.captioning.captioner import Captioner
    from captioner.data.datasets import Dataset, Record
    from captioner.scoring.evaluation import BeamTrials, Subjects
    from captioner.scoring.labelled import LabelledEvaluation
    from captioner.vision.feature_cache import FeatureCache

SPLITS = ("dev", "test")
KEPT_NAME = re.compile(r"[a-z0-9][a-z0-9-]*")
SUMMARY = "caption a split of a data set and score the captions"


@dataclass(frozen=True, kw_only=True)
class Request(arguments.Decoders):
    data: list[str] = arguments.datasets(required=False, default=[])
    split: str | None = arguments.option("of the data sets: dev to choose a setting, test to report", choices=SPLITS)
    labels: Path | None = arguments.path(
        "folder of labelled photographs: how many captions of those held out name the object"
    )
    variant: list[str] = arguments.variants()
    beam: int | None = arguments.beam()
    length_preference: float | None = arguments.option(
        "higher values favour longer captions (default: the decoders' own)", "X", type=arguments.number(float, -10, 10)
    )
    choose: bool = arguments.switch("try beam sizes and length preferences first, and store the best as the decoders' own")
    keep: str | None = arguments.option(
        "store settings, history and the dev scores on each data set, without weights, under this name among the tried runs",
        "NAME",
    )
    cache: Path | None = arguments.cache()


def run(options: Request) -> int:
    from captioner.vision.feature_cache import FeatureCache

    joined = _check(options)
    captioner = choices.captioner(options, choices.variants(options.variant))
    cache = FeatureCache(choices.cache(options.cache), captioner.encoder)
    scored, tried = _score(options, captioner, cache) if options.data else ([], None)
    config = scored[0].evaluation.config if scored else choices.search_config(options, options.beam, options.length_preference)
    labelled = _score_labelled(options, captioner, cache, config) if options.labels else None
    if options.json:
        print_json(evaluation_output.to_json(scored, tried, labelled))
    else:
        evaluation_output.print_text(scored, tried, labelled)
    if options.keep:
        _keep(options, scored)
    elif joined and options.split == "dev":
        note(f"{choices.TRAINED_ON_DEV}: these scores say nothing about unseen photographs and are not stored; use --split test.")
    elif _may_store(options, config):
        _store(options, scored, joined)
        if labelled:
            _store_labelled(options, labelled)
        card.keep(choices.decoders(options))
    return 0


def _score(options: Request, captioner: "Captioner", cache: "FeatureCache") -> tuple[list[Scored], "BeamTrials | None"]:
    """The scores on each data set, and the search settings that were tried for it."""
    from captioner.scoring.evaluation import Subjects, evaluate

    sets = _with_split(choices.datasets(options.data), options.split)
    subjects = [Subjects.of(data.split(options.split), cache) for data in sets]
    for own in subjects:
        _report_failed(own.failed, len(own.records))
    if options.choose:
        tried = _choose(options, captioner, subjects, [data.name for data in sets])
        evaluations = tried.best.evaluations
    else:
        config, tried = choices.search_config(options, options.beam, options.length_preference), None
        evaluations = tuple(evaluate(captioner, own, config) for own in subjects)
    found = zip(sets, subjects, evaluations, strict=True)
    return [Scored(*each, options.split, captioner.stage) for each in found], tried


def _with_split(sets: Sequence["Dataset"], split: str) -> list["Dataset"]:
    """The data sets that have the split; one for training alone is left out, unless there is no other."""
    kept = [data for data in sets if split in data.splits] or list(sets)
    for data in sets:
        if data not in kept:
            note(f"{data.name} has no split '{split}' and is not scored.")
    return kept


def _score_labelled(
    options: Request, captioner: "Captioner", cache: "FeatureCache", config: SearchConfig
) -> "LabelledEvaluation":
    """How many of the photographs that are held out for it have captions that name their object."""
    from captioner.data.labels import load_labels
    from captioner.scoring.labelled import LabelledSubjects

    subjects = LabelledSubjects.of(load_labels(options.labels).held_out, cache)
    _report_failed(subjects.failed, len(subjects.records))
    return subjects.evaluate(captioner, config)


def _keep(options: Request, scored: Sequence[Scored]) -> None:
    """Record the scores on every data set; the one that the decoders were trained on is `dev`, or else the first."""
    from captioner.config import SHIPPED
    from captioner.data.dataset_formats import JOINS
    from captioner.data.datasets import split_key
    from captioner.experiments.records import keep

    folder, names = choices.decoders(options), [one.data.name for one in scored]
    own = _own_set(folder, scored)
    first = own if own in names else names[0]
    for name in scored[0].evaluation.scores:
        scores = {split_key(one.split, one.data.name, first): one.evaluation.summary(name) for one in scored}
        keep(SHIPPED, options.keep, folder / name, JOINS.join(names), scores)


def _check(options: Request) -> bool:
    """Reject options that do not go together; return whether the decoders were trained on dev, too."""
    if bool(options.data) != bool(options.split) or not (options.data or options.labels):
        raise ConfigError("There is nothing to score on. Give --data with --split, or --labels, or all three.")
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


def _report_failed(failed: Mapping[str, str], scored: int) -> None:
    for reason in failed.values():
        note(f"Left out: {reason}")
    if failed:
        note(f"Photographs left out: {len(failed)}; scored: {scored}.")


def _choose(options: Request, captioner: "Captioner", dev: Sequence["Subjects"], names: Sequence[str]) -> "BeamTrials":
    from captioner.captioning.search_settings import preset_search_config
    from captioner.data.dataset_formats import JOINS
    from captioner.scoring.evaluation import choose_beam, save_beam

    folder = choices.decoders(options)
    tried = choose_beam(captioner, dev, preset_search_config(folder))
    save_beam(folder, tried, JOINS.join(names))
    return tried


def _may_store(options: Request, config: SearchConfig) -> bool:
    """Whether this is the decoders' own search setting."""
    from captioner.captioning.search_settings import load_search_config

    own = load_search_config(choices.decoders(options))
    if replace(config, alternatives=0) == replace(own, alternatives=0):
        return True
    setting = f"beam {own.beam}, length preference {own.length_preference:g}, up to {own.maximum_words} words"
    note(f"These scores are not stored: the decoders' own setting is {setting}.")
    return False


def _own_set(folder: Path, scored: Sequence[Scored]) -> str:
    """The first data set that the decoders were trained on; where that was not recorded, the one that they were scored on."""
    from captioner.scoring.evaluation import load_scores
    from captioner.training.provenance import first_data_set

    variants = tuple(scored[0].evaluation.scores)
    stored = [scores.get("data") for name in variants for split, scores in load_scores(folder, name).items() if split in SPLITS]
    return first_data_set(folder, variants) or next(iter(stored), scored[0].data.name)


def _store(options: Request, scored: Sequence[Scored], joined: bool) -> None:
    """Store the scores with the decoders, and the comparison on their own data set."""
    from captioner.data.datasets import resplit, split_key
    from captioner.scoring.evaluation import save_scores

    folder = choices.decoders(options)
    own_set = _own_set(folder, scored) if scored else ""
    for one in scored:
        save_scores(folder, split_key(one.split, one.data.name, own_set), one.data.name, one.evaluation)
        if one.data.name == own_set:
            _compare(folder, one, resplit(one.data, JOINED if joined else STANDARD).split("train"))


def _compare(folder: Path, one: Scored, training: Sequence["Record"]) -> None:
    """Store the decoders' comparison, if all of them were scored."""
    from captioner.scoring.comparison import compare, complete, save_comparison, subject

    evaluation, variants = one.evaluation, tuple(one.evaluation.scores)
    if not complete(folder, variants):
        note("No comparison is stored: it needs all decoders of the folder, and two or more.")
        return
    note("Scoring people and one constant caption in the same way.")
    of = subject(folder, one.data.name, evaluation.summary(variants[0]), variants)
    save_comparison(folder, one.split, compare(of, evaluation, one.subjects, training))


def _store_labelled(options: Request, labelled: "LabelledEvaluation") -> None:
    from captioner.scoring.evaluation import add_scores

    for name in labelled.shares:
        add_scores(choices.decoders(options), name, "labelled", labelled.summary(name))
