"""Runs the trials of a study: trains what is missing, finds one search setting per stage on dev, scores, and ships the best.

What the finished trials say together is left to `captioner.experiments.study`.
"""

import gc
import hashlib
import json
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from captioner.captioning.captioner import Captioner
from captioner.config import FIRST, REWARD, VARIANTS, Preset, SearchConfig
from captioner.data.datasets import Dataset
from captioner.errors import CheckpointError, TrainingError
from captioner.experiments.study import best_seed
from captioner.experiments.trial_records import CHOSEN_WITH, SPLITS, Plan, Trial, read_record, records, save_record
from captioner.model.checkpoints import HISTORY, finished_history, load
from captioner.scoring import familiarity
from captioner.scoring.caption_style import Known, occurrences
from captioner.scoring.evaluation import SEARCH, Evaluation, Subjects, choose_beam, evaluate, load_search_config, save_beam
from captioner.storage import exists, load_folder, read_bytes, read_json, save_folder, write_json
from captioner.training.run import Run, Start
from captioner.training.run_inputs import RunInputs, Sources
from captioner.training.trainer import Examples, losses_of, mean_loss
from captioner.vision.encoder import Encoder

_LARGEST_HISTORY = 1_000_000
_STRANGEST = 0.2  # The share of the photographs that are looked at apart as being the least like those of training.
_DIGITS = 4  # Of each photograph's CIDEr: enough for every figure made of a thousand of them.


@dataclass(frozen=True, eq=False)
class Workshop:
    """Where the trials of one study are trained (`runs`, large) and where their records are kept (`out`, small)."""

    dataset: Dataset
    encoder: Encoder
    cache: Path
    preset: Preset
    sources: Sources
    runs: Path
    out: Path
    _given_up: dict[Trial, TrainingError] = field(default_factory=dict, init=False, repr=False)

    def finished(self, trial: Trial) -> bool:
        """Whether its record is there; one that was made with other settings, data or another encoder is refused."""
        record = read_record(self.out, trial)
        if record is not None and record.data.get("made_with") != self._made_with(trial):
            raise TrainingError(
                f"The record of {trial} in {self.out} was made with other settings, data or another encoder; keep this study "
                "in a folder of its own with --checkpoints."
            )
        return record is not None

    def _trained_with(self, trial: Trial) -> str:
        return self._prepared(trial.stage).fingerprint(trial.variant, trial.seed)

    def _made_with(self, trial: Trial) -> str:
        return f"{self._trained_with(trial)}-{self._test_mark}"

    @cached_property
    def _test_mark(self) -> str:
        """Which photographs and captions make up the test; what a run is trained with says it of the others."""
        pictures = [(self._first.cache.key(record), record.captions) for record in self._subjects["test"].records]
        return hashlib.sha256(json.dumps(pictures).encode()).hexdigest()[:8]

    def carry_out(self, trial: Trial) -> None:
        """Train it, or go on with it, then score it; each part is left out when it is done already."""
        self._score(trial)
        gc.collect()

    def run_folder(self, trial: Trial) -> Path:
        """Where it is trained, beside the other decoders of its seed and stage."""
        return self._folder(trial).parent

    def _folder(self, trial: Trial) -> Path:
        return self.runs / trial.preset / trial.place

    def _trained(self, trial: Trial) -> Path:
        """Its run, trained if it is missing; one with other settings is refused, wherever it would have been used."""
        folder = self._folder(trial)
        if not exists(folder):
            self._train(trial)
        if finished_history(folder).get("made_with") != self._trained_with(trial):
            raise TrainingError(
                f"The run in {folder} had other settings, data, text or another encoder; train this study in another --runs."
            )
        return folder

    def _train(self, trial: Trial) -> None:
        """What could not be trained is not tried again for every other run that goes on from it."""
        if trial in self._given_up:
            raise self._given_up[trial]
        try:
            self._train_once(trial)
        except TrainingError as error:
            self._given_up[trial] = error
            raise

    def _train_once(self, trial: Trial) -> None:
        prepared, start = self._prepared(trial.stage), None
        if trial.stage == REWARD:
            start = Start.load(self._trained(trial.start).parent, trial.variant, prepared)
        run = Run(prepared, trial.variant, trial.seed, self.run_folder(trial), start)
        run.execute(resume=exists(run.resume_folder))

    def _prepared(self, stage: str) -> RunInputs:
        return self._first if stage == FIRST else self._second

    @cached_property
    def _first(self) -> RunInputs:
        return RunInputs(self.dataset, self.encoder, self.cache, self.preset, self.sources)

    @cached_property
    def _second(self) -> RunInputs:
        return RunInputs(self.dataset, self.encoder, self.cache, self.preset, self.sources, REWARD)

    @cached_property
    def _subjects(self) -> dict[str, Subjects]:
        return {split: Subjects.of(self.dataset.split(split), self._first.cache) for split in SPLITS}

    @cached_property
    def _known(self) -> Known:
        return Known.of([caption for record in self._first.train for caption in record.captions])

    @cached_property
    def _strangest(self) -> dict[str, np.ndarray]:
        """By split the fifth of the photographs that are least like those of training, as a mask."""
        cache, ranks = self._first.cache, {}
        known = familiarity.expressed(cache.pooled(self._first.train))
        for split, subjects in self._subjects.items():
            ranks[split] = np.argsort(np.argsort(familiarity.strangeness(cache.pooled(subjects.records), *known)))
        return {split: order >= round((1 - _STRANGEST) * len(order)) for split, order in ranks.items()}

    # Scoring ------------------------------------------------------------------------------------------------------

    def _score(self, trial: Trial) -> None:
        folder = self._trained(trial)
        checkpoint, history = load(folder), finished_history(folder)
        captioner, config = Captioner.of({trial.variant: checkpoint}, self.encoder), self._setting(trial)
        parts = {}
        for split, subjects in self._subjects.items():
            found = evaluate(captioner, subjects, config, label=f"{trial}, {split}")
            examples = Examples.of(subjects.records, checkpoint.vocabulary, subjects.cache)
            parts[split] = {"loss": mean_loss(losses_of(checkpoint.build()), examples)} | self._said(found, trial.variant, split)
        own = history["epochs"][history["earlier"] :]
        facts = {
            "data": self.dataset.name,
            "encoder": checkpoint.encoder.name,
            "made_with": self._made_with(trial),
            "beam": config.beam,
            "length_preference": config.length_preference,
            "seconds": sum(epoch["seconds"] for epoch in own),
            "cores": min(epoch["cores"] for epoch in own),
            "epochs": len(own),
            "best_epoch": history["best_epoch"] - history["earlier"],
        }
        save_record(self.out, trial, facts | parts, history)

    def _said(self, found: Evaluation, variant: str, split: str) -> dict[str, Any]:
        """What the captions of a split are worth, and how they are worded."""
        scores, captions = found.scores[variant], found.captions[variant]
        references = [record.captions for record in self._subjects[split].records]
        strange = self._strangest[split]
        return {
            "metrics": scores.metrics,
            "strangest_cider": _mean(scores.cider[strange]),
            "others_cider": _mean(scores.cider[~strange]),
            "wording": asdict(self._known.judge(list(captions.values()), references)),
            "used": dict(sorted(occurrences(captions.values()).items())),
            "photographs": hashlib.sha256(json.dumps(list(captions)).encode()).hexdigest()[:16],
            "cider": [round(float(value), _DIGITS) for value in scores.cider],
        }

    def _setting(self, trial: Trial) -> SearchConfig:
        """The search setting of a stage: chosen once, on dev, with the first seed of the three."""
        folder = self.out / trial.setting_place
        made_with = [self._prepared(trial.stage).fingerprint(name, CHOSEN_WITH) for name in VARIANTS]
        if not (folder / SEARCH).is_file():
            first = {name: load(self._trained(replace(trial, variant=name, seed=CHOSEN_WITH))) for name in VARIANTS}
            tried = choose_beam(Captioner.of(first, self.encoder), self._subjects["dev"], self.preset.search)
            save_beam(folder, tried, self.dataset.name, made_with=made_with)
        if read_json(folder / SEARCH).get("made_with") != made_with:
            raise TrainingError(
                f"The search setting in {folder / SEARCH} was chosen with decoders of other settings, data or another encoder; "
                "delete it and the records beside it, or keep this study in a folder of its own with --checkpoints."
            )
        return load_search_config(folder)

    # Shipping -----------------------------------------------------------------------------------------------------

    def ship(self, plan: Plan) -> dict[str, dict[str, int]]:
        """Put the best seed on dev of each variant in its place for each stage that is finished; says which seeds."""
        found, shipped = records(self.out, plan), {}
        for stage in (FIRST, REWARD):
            planned = [trial for trial in plan.trials() if trial.stage == stage and trial.variant in VARIANTS and not trial.apart]
            if planned and all(self.finished(trial) for trial in planned):
                shipped[stage] = {name: self._ship(best_seed(found, stage, name).trial) for name in VARIANTS}
                write_json(self.out / stage / SEARCH, read_json(self.out / planned[0].setting_place / SEARCH))
        return shipped

    def _ship(self, trial: Trial) -> int:
        source, goal = self._folder(trial), self.out / trial.stage / trial.variant
        lying = exists(goal) and _whole(goal) is not None
        if lying and read_json(goal / HISTORY) == read_json(self.out / trial.place / HISTORY):
            return trial.seed
        if not exists(source):
            raise TrainingError(
                f"The weights of {trial} are not in {self.runs}, only its record; name the folder of the runs with --runs, or "
                f"delete {self.out / trial.place}, and the study trains it again."
            )
        files = load_folder(source)
        save_folder(goal, files, {HISTORY: read_bytes(source / HISTORY, _LARGEST_HISTORY)})
        return trial.seed


def _whole(folder: Path) -> dict[str, bytes] | None:
    """The files of a folder, or None where it is damaged."""
    try:
        return load_folder(folder)
    except CheckpointError:
        return None


def _mean(values: np.ndarray) -> float | None:
    return float(values.mean()) if len(values) else None
