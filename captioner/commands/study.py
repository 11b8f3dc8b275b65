"""`study`: runs the missing trials of an experiment, and reports the finished ones."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from functools import cache
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

from captioner.commands import arguments, card, choices
from captioner.commands.report import in_turn, note, print_json, print_table
from captioner.config import CONTROLS
from captioner.errors import CheckpointError, ConfigError, TrainingError
from captioner.experiments.plans import (
    ABLATION,
    FLICKR8K,
    MOST_SEEDS,
    PLANS,
    RECIPES,
    SEEDS,
    SHOTS,
    SIZE,
    UNSEEN,
    Plan,
    repeated_seeds,
)
from captioner.presets import PRESETS
from captioner.training.worker_group import refuse_several

if TYPE_CHECKING:
    from captioner.experiments.records import Record
    from captioner.experiments.runner import ExperimentRunner

SUMMARY = "run or report an experiment: many runs, trained, scored and recorded"
_FOR_SEEDS, _FOR_OTHERS = "for --plan seeds", f"for every --plan but {SEEDS} and {FLICKR8K.name}"
_COUNTS = ("seeds", "reward_seeds", "control_seeds")
_PARTS = "; ".join(f"{name}: {', '.join(plan.parts)}" for name, plan in PLANS.items())


def _count(what: str, default: int) -> Any:
    kind = arguments.number(int, 0, MOST_SEEDS)
    return arguments.option(f"seeds {what} (default: {default})", "N", type=kind, group=_FOR_SEEDS)


@dataclass(frozen=True, kw_only=True)
class Request(arguments.Request):
    description = "Train and score the missing trials of an experiment, and report all; without --data, only report."
    interrupted = arguments.RESUMABLE.format("the command")
    plan: str = arguments.option(
        "seeds: the three decoders with several seeds; flickr8k: the same on Flickr8k alone, without word slots, with controls "
        "and on the original CNN; recipes: older recipes; ablation: word slots and further data sets; unseen: objects that no "
        "training caption names; shots: a few photographs of them; size: fewer training photographs (default: seeds)",
        choices=tuple(PLANS),
        default=SEEDS,
    )
    part: list[str] = arguments.repeatable(
        f"run a part of the plan ({_PARTS}); may be given several times (default: all)", "PART"
    )
    data: list[str] | None = arguments.datasets(required=False)
    labels: Path | None = arguments.path(
        "folder of labelled photographs: also count captions of those held out that name the object"
    )
    corpus: list[Path] = arguments.repeatable("as for train", "FILE", type=Path)
    checkpoints: Path = arguments.checkpoints("where the records are kept (default: checkpoints)")
    runs: Path | None = arguments.path("where to train (default: runs/study within that)")
    cache: Path | None = arguments.cache()
    preset: str | None = arguments.option(f"{', '.join(PRESETS)} (default: triptych)", "NAME", group=_FOR_SEEDS)
    seeds: int | None = _count("of the three decoders in the first stage", 3)
    reward_seeds: int | None = _count("of the same in the reward stage", 3)
    control_seeds: int | None = _count(f"of the controls {', '.join(CONTROLS)}", 0)
    ship: bool = arguments.switch("make each decoder's best seed on dev the one that all commands use", group=_FOR_SEEDS)
    encoder: str | None = arguments.option("as for train (default: the presets')", "NAME", group=_FOR_OTHERS)
    encoder_weights: Path | None = arguments.encoder_weights(group=_FOR_OTHERS)


def run(options: Request) -> int:
    from captioner.experiments.records import read_records

    plan, out = _plan(options), options.checkpoints
    given = {name: getattr(options, name) for name in ("part", "labels", "corpus", "ship", "encoder", "encoder_weights")}
    choices.refuse_without_data(options.data, **given)
    choices.check_files(options.corpus)
    if options.data:
        if plan == ABLATION and len(options.data) < 2:
            raise ConfigError("The ablation compares the first data set with all of them; give --data twice or more.")
        refuse_several("A study")
        _run_missing(_runner(options, plan), options)
    records = read_records(out, plan)
    if not records:
        raise TrainingError(
            f"No trial of the plan '{plan.name}' is finished in {out}; give --data, and --corpus, to train and score them."
        )
    if options.json:
        print_json(_rows(records, plan))
    else:
        planned = len({*plan.trials(), *(record.trial for record in records)})
        cells, show = _TABLES[plan.name]
        print(f"{len(records)} of {planned} trials; {cells}")
        show(records, plan, out)
    return 0


def _plan(options: Request) -> Plan:
    others = {SEEDS: [_FOR_OTHERS], FLICKR8K.name: [_FOR_SEEDS, _FOR_OTHERS]}.get(options.plan, [_FOR_SEEDS])
    wrong = [item.name for item in fields(options) if item.metadata.get("group") in others]
    given = [name for name in wrong if not (getattr(options, name) is None or getattr(options, name) is False)]
    if given:
        names = " and ".join(f"--{name.replace('_', '-')}" for name in given)
        raise ConfigError(f"{names} cannot be used with --plan {options.plan}; leave it out.")
    counts = {name: value for name in ("preset", *_COUNTS) if (value := getattr(options, name)) is not None}
    plan = repeated_seeds(**counts) if options.plan == SEEDS else PLANS[options.plan]
    unknown = next((part for part in options.part if part not in plan.parts), None)
    if unknown:
        raise ConfigError(f"The plan '{plan.name}' has no part '{unknown}'; choose one of {', '.join(plan.parts)}.")
    return plan


def _runner(options: Request, plan: Plan) -> "ExperimentRunner":
    from captioner.runtime import start_tensorflow

    start_tensorflow(repeatable=True)
    from captioner.data.labels import load_labels
    from captioner.experiments.runner import ExperimentRunner
    from captioner.training.run_inputs import Sources
    from captioner.vision.encoders import load_encoder

    out, data = options.checkpoints, choices.dataset(options.data)
    encoder_of = cache(lambda name: load_encoder(options.encoder or name, weights=options.encoder_weights, near=out))
    sources, runs = Sources(tuple(options.corpus)), options.runs or out / "runs" / "study"
    labelled = load_labels(options.labels).held_out if options.labels else ()
    return ExperimentRunner(plan, data, encoder_of, choices.cache(options.cache), sources, runs, out, labelled)


def _run_missing(runner: "ExperimentRunner", options: Request) -> None:
    from captioner.experiments.records import read_records

    trials = runner.plan.trials(options.part)
    if not options.corpus and any(trial.variant.endswith("-captions") for trial in trials):
        note("Without --corpus the controls trained on the captions alone do not differ from Word2Vec and FastText.")
    records = read_records(runner.out, runner.plan)
    for record in records:  # Of other parts too: the report covers all of them.
        runner.check(record)
    left = [trial for trial in trials if trial not in {record.trial for record in records}]
    note(f"{len(trials) - len(left)} of {len(trials)} trials are finished already.")
    failed = []
    for trial in in_turn(left, "Trial"):
        try:
            record = runner.run(trial)
        except TrainingError as error:  # The other trials do not depend on it.
            note(f"{trial} failed: {error}")
            failed.append(str(trial))
        else:
            if record.gave_up:
                note(f"{trial} diverged: {record.gave_up}")
            else:
                card.keep(runner.run_folder(trial))
            _conclude(runner)
    if failed:
        raise TrainingError(f"These trials are missing: {'; '.join(failed)}. The same command tries them again.")
    records = _conclude(runner)
    if options.ship:
        for stage, seeds in runner.ship(records).items():
            note(f"{stage}: shipped the best on dev, " + ", ".join(f"{name} seed {seed}" for name, seed in seeds.items()) + ".")
            card.keep(runner.out / stage)


def _conclude(runner: "ExperimentRunner") -> list["Record"]:
    """Read all records, and save the conclusions from a plan about one preset."""
    from captioner.experiments.conclusions import conclude, save_study
    from captioner.experiments.records import read_records

    records = read_records(runner.out, runner.plan)
    if runner.plan.preset:
        save_study(runner.out, conclude(records, runner.plan), runner.plan)
    return records


def _rows(records: Sequence["Record"], plan: Plan) -> list[dict[str, Any]]:
    """A row for each record or, where objects were withheld, for each object of it."""
    from captioner.figures.scores import naming_table

    if "objects" in plan.needs:
        return list(naming_table.by_object(records, plan.name))
    return [record.row for record in records]


def _print_study(records: Sequence["Record"], plan: Plan, _folder: Path) -> None:
    from captioner.experiments.conclusions import SIGNIFICANCE_RULE, conclude
    from captioner.figures.scores.study_chart import cells
    from captioner.figures.scores.study_text import gap

    study = conclude(records, plan)
    for stage in dict.fromkeys(group.stage for group in study.groups):
        print()
        print_table({f"{stage}: {group.title}": cells(group) for group in study.stage(stage)})
    print(f"\n{SIGNIFICANCE_RULE}")
    for pair in study.pairs:
        found, significant = gap(pair), "significant" if pair.counts else "not significant"
        print(f"  {pair.stage}: {found.better} above {found.worse} by {found}, {significant}")


def _print_ablation(records: Sequence["Record"], _plan: Plan, _folder: Path) -> None:
    from captioner.figures.scores import ablation_table

    for data, rows in groupby(ablation_table.rows(records), key=lambda row: row.pop("trained on")):
        print(f"\nTrained on {data}\n")
        print_table({f"{row.pop('vectors')}, word slots: {row.pop('word slots')}": row for row in rows})


def _print_naming(records: Sequence["Record"], plan: Plan, _folder: Path) -> None:
    from captioner.figures.scores import naming_table

    for heads, rows in groupby(naming_table.rows(records), key=lambda row: (row.pop("word slots"), row.pop("search"))):
        print("\nWord slots: {}, search: {}\n".format(*heads))
        print_table({f"{row.pop('vectors')}, shots: {row.pop('photographs of each object')}": row for row in rows})
    print(f"\nExpected before the first run: {plan.expectation}")


def _print_sizes(records: Sequence["Record"], plan: Plan, _folder: Path) -> None:
    from captioner.figures.scores import size_table

    print()
    print_table(size_table.by_size(records))
    print(f"\nExpected before the first run: {plan.expectation}")


def _print_recipes(records: Sequence["Record"], _plan: Plan, folder: Path) -> None:
    from captioner.experiments.conclusions import read_study
    from captioner.figures.recipes import dimensions_question, recipe_table, recipe_text

    try:
        study = read_study(folder, FLICKR8K)
    except CheckpointError as error:  # The recipes' own records can be reported without it.
        note(str(error))
        study = None
    for recipe, rows in groupby(recipe_table.rows(records), key=lambda row: row.pop("recipe")):
        print(f"\n{recipe}\n")
        print_table({row.pop("vectors"): row for row in rows})
    for text in (*recipe_text.sentences(records, study), *dimensions_question.sentences(records)):
        print(f"\n{text}")
    found = dimensions_question.runs(records)
    if len(found):
        print()
        print_table(dimensions_question.as_table(found).to_dict("index"))


_OVER_SEEDS = "mean over seeds, standard deviation in brackets"
# What the cells of each plan's tables are, and what prints them.
_TABLES: dict[str, tuple[str, Callable[[Sequence["Record"], Plan, Path], None]]] = {
    SEEDS: (_OVER_SEEDS, _print_study),
    FLICKR8K.name: (_OVER_SEEDS, _print_study),
    RECIPES.name: ("95% intervals in brackets", _print_recipes),
    ABLATION.name: ("means over seeds", _print_ablation),
    UNSEEN.name: ("means over seeds", _print_naming),
    SHOTS.name: ("means over seeds", _print_naming),
    SIZE.name: ("mean test CIDEr over seeds, standard deviation in brackets", _print_sizes),
}
