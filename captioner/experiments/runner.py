"""The experiment runner: trains missing trials, resumes interrupted ones, scores them, and ships the best seeds.

Which trials there are is left to `captioner.experiments.plans`, scoring one decoder to `captioner.experiments.examiner`.
"""

import gc
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from captioner.captioning.captioner import Captioner
from captioner.captioning.search_settings import SEARCH, load_search_config
from captioner.config import REWARD, STAGES, VARIANTS, SearchConfig
from captioner.config_io import to_json
from captioner.data.datasets import Dataset, by_set, resplit
from captioner.data.labels import Labelled
from captioner.errors import CheckpointError, DivergedError, TrainingError
from captioner.experiments.examiner import Examiner
from captioner.experiments.plans import CHOSEN_WITH, Plan, Trial
from captioner.experiments.records import Record, save_record, taken
from captioner.experiments.withheld import Part
from captioner.model.checkpoints import HISTORY, finished_history, load
from captioner.scoring.evaluation import choose_beam, save_beam
from captioner.storage import exists, load_folder, read_bytes, read_json, save_folder, write_json
from captioner.training.run import Run, Start
from captioner.training.run_inputs import RunInputs, Sources
from captioner.vision.encoder import Encoder
from captioner.vision.encoders import keep_beside

_LARGEST_HISTORY = 1_000_000


@dataclass(frozen=True, eq=False)
class ExperimentRunner:
    """Runs the trials of one plan: trained in `runs` (large), recorded in `out` (small)."""

    plan: Plan
    dataset: Dataset
    encoder_of: Callable[[str], Encoder]  # by the name in the preset
    cache: Path
    sources: Sources
    runs: Path
    out: Path
    labelled: tuple[Labelled, ...] = ()  # photographs, held out of training, whose objects captions should name
    _opened: dict[Any, Any] = field(default_factory=dict, init=False, repr=False)
    _failed: dict[Trial, TrainingError] = field(default_factory=dict, init=False, repr=False)

    def run(self, trial: Trial) -> Record:
        """Train or resume the trial unless it is trained already, score it, and save its record."""
        try:
            folder = self._trained(trial)
        except DivergedError as error:
            if self.plan.preset:
                raise
            record = self._diverged(trial, error)
        else:
            record = self._scored(trial, folder)
        save_record(self.out, self.plan, record)
        gc.collect()
        return record

    def check(self, record: Record) -> None:
        """Refuse a record that was made with other data, labels, settings or another encoder."""
        made_with = self._made_with(record.trial), self._examiner(record.trial).labels
        if (record.made_with, record.labels) != made_with:
            raise TrainingError(
                f"The record of {record.trial} was made with other data, labels, text, settings or another encoder; give the "
                "same --data, --labels, --corpus and --encoder again, or keep this experiment in a folder of its own with "
                "--checkpoints."
            )

    def run_folder(self, trial: Trial) -> Path:
        """The folder of the trial's run, which it shares with the other variants of its seed and stage."""
        return self._folder(trial).parent

    def _folder(self, trial: Trial) -> Path:
        return self.runs / trial.label / trial.place

    def _kept(self, trial: Trial) -> Path:
        """The folder of the trial's history, below the plan's; trials of another preset than the plan's lie apart."""
        return self.out / self.plan.place / ("" if trial.label == self.plan.preset else trial.label) / trial.place

    def _inputs(self, trial: Trial) -> RunInputs:
        key = (trial.settings.up_to(trial.stage), trial.stage, *_data_of(trial))
        if key not in self._opened:
            data, encoder = resplit(self.dataset, trial.splits), self.encoder_of(trial.settings.encoder)
            kept, withheld = Part.read(trial.part).divide(data.split("train"), trial.seed)
            data = replace(data, splits=data.splits | {"train": kept})
            self._opened[key] = RunInputs(data, encoder, self.cache, trial.settings, self.sources, trial.stage, withheld=withheld)
        return self._opened[key]

    def _examiner(self, trial: Trial) -> Examiner:
        key = (trial.settings.encoder, *_data_of(trial))
        if key not in self._opened:
            parts = [by_set(self.dataset, split) for split in trial.scored_on]
            splits = {name: records for part in parts for name, records in part.items()}
            self._opened[key] = Examiner.of(splits, self._inputs(trial), self.labelled)
        return self._opened[key]

    def _trained_with(self, trial: Trial) -> str:
        return self._inputs(trial).fingerprint(trial.variant, trial.seed)

    def _made_with(self, trial: Trial) -> str:
        """A hash of everything that the record depends on: what the run is trained with, and the test photographs."""
        return f"{self._trained_with(trial)}-{self._examiner(trial).test_mark}"

    # Training -----------------------------------------------------------------------------------------------------

    def _trained(self, trial: Trial) -> Path:
        """The folder of the trained decoder, trained now if it is missing; refuse one with other settings."""
        folder = self._folder(trial)
        if not exists(folder):
            self._train(trial)
        if finished_history(folder).get("made_with") != self._trained_with(trial):
            raise TrainingError(f"The run in {folder} had other settings, data, text or another encoder; use another --runs.")
        return folder

    def _train(self, trial: Trial) -> None:
        """Train or resume. A failed run is not repeated for every run that starts from it."""
        if trial in self._failed:
            raise self._failed[trial]
        try:
            inputs, start = self._inputs(trial), None
            if trial.stage == REWARD:
                start = Start.load(self._trained(trial.start).parent, trial.variant, inputs)
            run = Run(inputs, trial.variant, trial.seed, self.run_folder(trial), start)
            run.execute(resume=exists(run.resume_folder))
            keep_beside(inputs.encoder, self.run_folder(trial))
        except TrainingError as error:
            self._failed[trial] = error
            raise

    def _diverged(self, trial: Trial, error: DivergedError) -> Record:
        path = self._folder(trial) / HISTORY
        history = read_json(path) if path.is_file() else {"epochs": []}
        losses = tuple((epoch["train_loss"], epoch["dev_loss"]) for epoch in history["epochs"])
        return self._record(trial, gave_up=str(error), losses=losses)

    # Scoring ------------------------------------------------------------------------------------------------------

    def _scored(self, trial: Trial, folder: Path) -> Record:
        checkpoint, history = load(folder), finished_history(folder)
        examiner, encoder = self._examiner(trial), self.encoder_of(trial.settings.encoder)
        search = self._search(trial) if self.plan.choose_search else trial.settings.search
        if self.plan.preset:
            write_json(self._kept(trial) / HISTORY, history)
        found = examiner.examine(checkpoint, encoder, search, str(trial))
        return self._record(trial, **taken(history), **found)

    def _record(self, trial: Trial, **facts: Any) -> Record:
        settings = trial.settings.up_to(trial.stage)
        return Record(
            variant=trial.variant,
            stage=trial.stage,
            seed=trial.seed,
            splits=trial.splits,
            part=trial.part,
            settings=to_json(settings),
            data=self.dataset.name,
            encoder=self.encoder_of(settings.encoder).name,
            made_with=self._made_with(trial),
            labels=self._examiner(trial).labels,
            **facts,
        )

    def _search(self, trial: Trial) -> SearchConfig:
        """The search setting of a stage: chosen once, on dev, with the three decoders of one seed."""
        folder = self._kept(trial).parents[1]
        three = [replace(trial, variant=name, seed=CHOSEN_WITH) for name in VARIANTS]
        made_with = [self._trained_with(one) for one in three]
        if not (folder / SEARCH).is_file():
            decoders = {one.variant: load(self._trained(one)) for one in three}
            captioner = Captioner.of(decoders, self.encoder_of(trial.settings.encoder))
            tried = choose_beam(captioner, self._examiner(trial).of_split("dev"), trial.settings.search)
            save_beam(folder, tried, self.dataset.name, made_with=made_with)
        if read_json(folder / SEARCH).get("made_with") != made_with:
            raise TrainingError(
                f"The search setting in {folder / SEARCH} was chosen with decoders of other settings, data or another encoder; "
                "delete it and the records of its stage, or keep this experiment in a folder of its own with --checkpoints."
            )
        return load_search_config(folder)

    # Shipping -----------------------------------------------------------------------------------------------------

    def ship(self, records: Sequence[Record]) -> dict[str, dict[str, int]]:
        """Ship each variant's best seed on dev, for each finished stage; return the seeds."""
        finished, shipped = {record.trial for record in records}, {}
        for stage in STAGES:
            planned = [trial for trial in self.plan.trials() if self._ships(trial, stage)]
            if planned and finished.issuperset(planned):
                shipped[stage] = {name: self._ship(self._best(records, stage, name)) for name in VARIANTS}
                write_json(self.out / stage / SEARCH, read_json(self.out / stage / "seeds" / SEARCH))
        return shipped

    def _best(self, records: Sequence[Record], stage: str, variant: str) -> Trial:
        own = [record for record in records if record.variant == variant and self._ships(record.trial, stage)]
        return max(own, key=lambda record: record.dev_cider).trial

    def _ships(self, trial: Trial, stage: str) -> bool:
        return (trial.preset, trial.stage) == (self.plan.preset, stage) and trial.variant in VARIANTS

    def _ship(self, trial: Trial) -> int:
        source, goal = self._folder(trial), self.out / trial.stage / trial.variant
        if _is_whole(goal) and read_json(goal / HISTORY) == read_json(self._kept(trial) / HISTORY):
            return trial.seed
        if not exists(source):
            raise TrainingError(
                f"The weights of {trial} are not in {self.runs}, only its record; give the folder of the runs with --runs, or "
                "delete the record to run the trial again."
            )
        save_folder(goal, load_folder(source), {HISTORY: read_bytes(source / HISTORY, _LARGEST_HISTORY)})
        return trial.seed


def _data_of(trial: Trial) -> tuple[str, str, int]:
    """What decides which photographs a trial learns from."""
    return trial.splits, trial.part, trial.seed if trial.part else 0


def _is_whole(folder: Path) -> bool:
    """Whether the folder holds an undamaged checkpoint."""
    try:
        return exists(folder) and bool(load_folder(folder))
    except CheckpointError:
        return False
