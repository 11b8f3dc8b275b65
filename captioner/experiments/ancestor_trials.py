"""Trains and scores the older recipes, one after the other; what was begun is gone on with, what is finished stays.

Which trainings there are, and what is kept of them, is left to `captioner.experiments.ancestor_records`.
"""

import gc
import hashlib
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from captioner.captioning.captioner import Captioner
from captioner.config import STANDARD, SearchConfig
from captioner.data.datasets import Dataset, resplit
from captioner.errors import DivergedError, TrainingError
from captioner.experiments.ancestor_records import SPLITS, Ancestor, Record, facts_of
from captioner.model.checkpoints import HISTORY, Checkpoint, finished_history, load
from captioner.scoring.evaluation import Subjects, evaluate
from captioner.storage import exists, read_json
from captioner.training.run import Run
from captioner.training.run_inputs import RunInputs, Sources
from captioner.vision.encoder import Encoder
from captioner.vision.feature_cache import FeatureCache

_TIMED = 30  # photographs that captioning one by one is timed on


@dataclass(frozen=True, eq=False)
class Workshop:
    """Where the recipes are trained (`runs`, large), and with what."""

    dataset: Dataset
    encoder: Encoder
    cache: Path
    sources: Sources
    runs: Path

    def made_with(self, ancestor: Ancestor) -> str:
        """Whatever it depends on: settings, photographs, captions, text, encoder."""
        facts = [facts_of(ancestor), self.encoder.fingerprint, self.sources.marks(), self._data]
        return hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:16]

    def check(self, record: Record) -> None:
        """Refuse a record that was made with something else."""
        if record.data["made_with"] != self.made_with(record.ancestor):
            raise TrainingError(
                f"The record of {record.ancestor} was made with other data, text, settings or another encoder; give the --data, "
                "--corpus and --encoder that it was made with, or keep this comparison in a folder of its own with --checkpoints."
            )

    @cached_property
    def _subjects(self) -> dict[str, Subjects]:
        cache = FeatureCache(self.cache, self.encoder)
        return {split: Subjects.of(self.dataset.split(split), cache) for split in SPLITS}

    @cached_property
    def _data(self) -> str:
        key = self._subjects["test"].cache.key
        pictures = {split: [(key(record), record.captions) for record in part] for split, part in self.dataset.splits.items()}
        return hashlib.sha256(json.dumps(pictures).encode()).hexdigest()[:16]

    def carry_out(self, ancestor: Ancestor) -> Record:
        """Train it, or go on with it, then score it. One whose loss ran away is a result as well."""
        folder = self.runs / ancestor.place / ancestor.variant
        told = facts_of(ancestor) | {"made_with": self.made_with(ancestor)}
        told |= {"data": self.dataset.name, "encoder": self.encoder.name}
        try:
            self._train(ancestor)
        except DivergedError as error:
            history = read_json(folder / HISTORY) if (folder / HISTORY).is_file() else {"epochs": []}
            return Record(ancestor, told | {"gave_up": str(error)} | _losses(history))
        checkpoint, history = load(folder), finished_history(folder)
        found = told | {"gave_up": ""} | _losses(history) | self._facts(checkpoint, history) | self._scores(ancestor, checkpoint)
        gc.collect()
        return Record(ancestor, found)

    def _train(self, ancestor: Ancestor) -> None:
        data = resplit(self.dataset, ancestor.splits)
        prepared = RunInputs(data, self.encoder, self.cache, ancestor.settings, self.sources)
        run = Run(prepared, ancestor.variant, ancestor.seed, self.runs / ancestor.place)
        if not exists(run.folder):
            run.execute(resume=exists(run.resume_folder))
        elif finished_history(run.folder).get("made_with") != prepared.fingerprint(ancestor.variant, ancestor.seed):
            raise TrainingError(
                f"The run in {run.folder} had other settings, data, text or another encoder; train this comparison in another "
                "--runs."
            )

    def _facts(self, checkpoint: Checkpoint, history: Mapping[str, Any]) -> dict[str, Any]:
        decoder = checkpoint.build()
        trainable = sum(int(np.prod(variable.shape)) for variable in decoder.trainable_variables)
        return {
            "trained_on": history["data"]["photographs"]["train"],
            "words": len(checkpoint.vocabulary),
            "trainable": trainable,
            "frozen": decoder.count_params() - trainable,
            "best_epoch": history["best_epoch"],
            "fastest_epoch": min(epoch["seconds"] for epoch in history["epochs"]),  # Others may have shared the machine.
            "cores": min(epoch["cores"] for epoch in history["epochs"]),
        }

    def _scores(self, ancestor: Ancestor, checkpoint: Checkpoint) -> dict[str, Any]:
        """On dev, where training did not see it, and on test, with the recipe's own search; and how long a caption takes."""
        captioner = Captioner.of({ancestor.variant: checkpoint}, self.encoder)
        config = replace(ancestor.settings.search, alternatives=0)
        splits = SPLITS if ancestor.splits == STANDARD else ("test",)
        found = {}
        for split in splits:
            scored = evaluate(captioner, self._subjects[split], config, label=f"{ancestor}, {split}")
            found[split] = scored.summary(ancestor.variant)
        return found | {"ms_per_caption": self._milliseconds(captioner, config)}

    def _milliseconds(self, captioner: Captioner, config: SearchConfig) -> float:
        """The median over some photographs, from features to the caption, one photograph at a time."""
        subjects, times = self._subjects["test"], []
        for record in subjects.records[:_TIMED]:
            features = subjects.cache.rows([record])
            start = time.perf_counter()
            captioner.caption_features(features, config)
            times.append((time.perf_counter() - start) * 1000)
        return median(times)


def _losses(history: Mapping[str, Any]) -> dict[str, Any]:
    return {"losses": [[epoch["train_loss"], epoch["dev_loss"]] for epoch in history["epochs"]]}
