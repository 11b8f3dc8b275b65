"""`study`: the comparison with repeated seeds. Runs what is missing, scores it, and says what all runs together show."""

from argparse import ArgumentParser
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from captioner.commands import arguments, card, choices
from captioner.commands.report import in_turn, note, print_json, print_table
from captioner.config import CONTROLS
from captioner.errors import TrainingError
from captioner.presets import PRESETS, find_preset
from captioner.training.worker_group import refuse_several

if TYPE_CHECKING:
    from captioner.experiments.trial_records import Plan
    from captioner.experiments.trials import Workshop

SUMMARY = "train and score the three with several seeds, and what they are held against"


@dataclass(frozen=True, kw_only=True)
class Request(arguments.Request):
    data: str | None
    corpus: list[Path]
    preset: str
    seeds: int
    reward_seeds: int
    control_seeds: int
    frozen_seeds: int
    checkpoints: Path
    runs: Path | None
    ship: bool
    cache: Path | None


def add_arguments(parser: ArgumentParser) -> None:
    parser.set_defaults(interrupted=arguments.GOES_ON.format(""))
    parser.description = (
        "Train and score what is missing of the comparison, and tell what all finished runs show; without --data only the latter."
    )
    arguments.data(parser, "or the word shapes", required=False)
    parser.add_argument("--corpus", type=Path, action="append", default=[], metavar="FILE", help="as for train")
    parser.add_argument("--preset", default="triptych", metavar="NAME", help=f"{', '.join(PRESETS)} (default: triptych)")
    for name, default, what in (
        ("--seeds", 5, "of each of the three in the first stage"),
        ("--reward-seeds", 3, "of them that go on to the second"),
        ("--control-seeds", 2, f"of {', '.join(CONTROLS)}"),
        ("--frozen-seeds", 2, "of the three on the CNN as it comes, where the preset has a twin called NAME-frozen"),
    ):
        more = {"default": default, "metavar": "N", "help": f"seeds {what} ({default})"}
        parser.add_argument(name, type=arguments.number(int, 0, 99), **more)
    arguments.checkpoints(parser, "where the records are kept (default: checkpoints)")
    parser.add_argument("--runs", type=Path, metavar="DIR", help="where runs are trained (default: runs/study within that)")
    ship = "put the best seed on dev of each decoder where every command finds it"
    parser.add_argument("--ship", action="store_true", help=ship)
    arguments.cache(parser)


def run(options: Request) -> int:
    from captioner.experiments.study import STUDY, conclude
    from captioner.experiments.trial_records import Plan, records
    from captioner.storage import write_json

    choices.refuse_without_data(options.data, corpus=options.corpus)
    choices.check_files(options.corpus)
    seeds = (options.seeds, options.reward_seeds, options.control_seeds, options.frozen_seeds)
    plan, out = Plan(options.preset, *seeds), options.checkpoints

    def concluded() -> dict[str, Any]:
        finished = records(out, plan)
        if not finished:
            raise TrainingError(f"No run of this study is finished in {out}; give --data, and --corpus, to train and score them.")
        return conclude(finished, plan.preset) | {"planned": len(plan.with_all_of(out).trials())}

    if options.data:
        refuse_several("A study")
        _run_missing(_Workshops(options), plan, options, lambda: write_json(out / STUDY, concluded()))
    elif options.ship:
        raise TrainingError("To find the decoders that ship takes the runs and their data; give --data, and --corpus, too.")
    found = concluded()
    if options.json:
        print_json(found["runs"])
    else:
        _print_text(found)
    return 0


class _Workshops:
    """One for each preset, since each has an encoder of its own; opened when it is first asked for."""

    def __init__(self, options: Request):
        from captioner.runtime import start_tensorflow

        start_tensorflow(repeatable=True)
        self._options, self._dataset, self._opened = options, choices.dataset(options.data), {}

    def of(self, preset: str) -> "Workshop":
        from captioner.experiments.trials import Workshop
        from captioner.training.run_inputs import Sources
        from captioner.vision.encoder import load_encoder

        if preset not in self._opened:
            options, found, out = self._options, find_preset(preset), self._options.checkpoints
            sources, runs = Sources(tuple(options.corpus)), options.runs or out / "runs" / "study"
            encoder = load_encoder(found.encoder, near=out)
            self._opened[preset] = Workshop(self._dataset, encoder, choices.cache(options.cache), found, sources, runs, out)
        return self._opened[preset]


def _run_missing(workshops: _Workshops, plan: "Plan", options: Request, finished_one: Callable[[], None]) -> None:
    """One after the other; how long it still takes is told from how long those before took."""
    from captioner.experiments.trial_records import records

    if not options.corpus and any(trial.variant.endswith("-captions") for trial in plan.trials()):
        note("Without --corpus the controls made of the captions alone are no different from what they are held against.")
    for record in records(options.checkpoints, plan):  # Those beyond the plan too: all of them are summed up.
        workshops.of(record.trial.preset).finished(record.trial)
    left = [trial for trial in plan.trials() if not workshops.of(trial.preset).finished(trial)]
    note(f"{len(plan.trials()) - len(left)} of {len(plan.trials())} runs are finished already.")
    failed = []
    for trial in in_turn(left, "Run"):
        try:
            workshops.of(trial.preset).carry_out(trial)
            card.keep(workshops.of(trial.preset).run_folder(trial))
            finished_one()
        except TrainingError as error:  # Such as a loss that is no number; the other runs do not depend on it.
            note(f"{trial} was given up: {error}")
            failed.append(str(trial))
    if failed:
        raise TrainingError(f"These runs are missing: {'; '.join(failed)}. Why is said above; the same command tries them again.")
    finished_one()
    if options.ship:
        for stage, seeds in workshops.of(plan.preset).ship(plan).items():
            note(f"{stage}: " + ", ".join(f"{name} seed {seed}" for name, seed in seeds.items()) + " ship, the best on dev.")
            card.keep(options.checkpoints / stage)


def _print_text(concluded: dict[str, Any]) -> None:
    """In the words of the page."""
    from captioner.figures.scores.study_chart import cells
    from captioner.figures.scores.study_file import parsed

    study = parsed(concluded)
    print(f"{study.finished} of {study.planned} runs; mean over seeds, standard deviation in brackets\n")
    for stage in dict.fromkeys(group.stage for group in study.groups):
        print_table({f"{stage}: {group.title}": cells(group) for group in study.stage(stage)})
        print()
    print(study.rule)
    for pair in study.pairs:
        says = "counts" if pair.gap.significant else "does not count"
        print(f"  {pair.stage}: {pair.gap.better} above {pair.gap.worse} by {pair.gap}, {says}")
