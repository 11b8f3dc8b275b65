"""One decoder's training run up to its checkpoint: started, interrupted after any epoch, resumed, or started from another run.

Inputs are left to `captioner.training.run_inputs`, loops and losses to `captioner.training.trainer`, files to
`captioner.model.checkpoints` and `captioner.storage`.
"""

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from safetensors.numpy import save as save_tensors

from captioner.config import FIRST, REWARD, Preset, find_variant
from captioner.errors import TrainingError
from captioner.model.blueprint import TABLE_WEIGHT
from captioner.model.checkpoints import (
    HISTORY,
    Checkpoint,
    EncoderMark,
    finished_history,
    load,
    read_tensors,
    save,
)
from captioner.model.word_slots import SlotFinder
from captioner.storage import exists, load_folder, parse_as, read_json, remove_folder, save_folder, tensor_pieces, write_json
from captioner.training import provenance
from captioner.training.embedding_tables import Table
from captioner.training.history import FINISHED, RUNNING, STOPPED, Epoch, TrainingState
from captioner.training.provenance import Code, File
from captioner.training.run_inputs import RunInputs
from captioner.vocabulary import Vocabulary
from embeddings.table import EmbeddingTable

if TYPE_CHECKING:
    from captioner.model.decoder import Decoder
    from captioner.training.batches import Examples

_TRAINED = " Trained with the decoder."
_ORIGIN = ("made_with", "data", "code", "started_from")  # the entries of a history that record its provenance
_ANOTHER_VERSION = "this run was interrupted in another version of the program; train into another --out"


@dataclass(frozen=True)
class _Interrupted:
    """The state of an interrupted run, apart from weights and table."""

    fingerprint: str
    epochs: list[Epoch]
    before: list[Epoch]
    extra: list[str]
    code: list[Code | None] = field(default_factory=lambda: [None])


@dataclass(frozen=True, eq=False)
class Start:
    """A finished run of the same variant, whose weights and word table another run starts from."""

    checkpoint: Checkpoint
    history: Mapping[str, Any]

    @classmethod
    def load(cls, folder: Path, variant: str, inputs: RunInputs) -> "Start":
        """The decoder in `folder`, which must have the same vocabulary and encoder."""
        checkpoint = load(Path(folder) / variant)
        if checkpoint.stage != FIRST:
            raise TrainingError(
                f"The decoder in {folder} has already been through the second stage; start from one of the first stage."
            )
        same = checkpoint.vocabulary.words == inputs.vocabulary.words
        if checkpoint.variant != variant or not same or checkpoint.encoder != EncoderMark.of(inputs.encoder):
            raise TrainingError(
                f"{variant} cannot start from the decoder in {folder}, which has another variant, data set or encoder; "
                "choose a run on the same data."
            )
        return cls(checkpoint, finished_history(Path(folder) / variant))

    @cached_property
    def fingerprint(self) -> str:
        return hashlib.sha256(save_tensors(dict(self.checkpoint.weights))).hexdigest()[:16]

    @property
    def origin(self) -> dict[str, Any]:
        """The provenance in its history, as far as its version recorded it."""
        recorded = {name: self.history[name] for name in _ORIGIN if name in self.history}
        return {"stage": self.checkpoint.stage, "seed": self.checkpoint.seed} | recorded


class Run:
    """One variant's training in one folder; it can be interrupted after any epoch and resumed."""

    def __init__(
        self,
        inputs: RunInputs,
        variant: str,
        seed: int,
        out: Path,
        start: Start | None = None,
        watch: Callable[[TrainingState], None] | None = None,
    ):
        self.inputs, self.variant, self.seed, self.start, self.watch = inputs, variant, seed, start, watch
        self.workers = inputs.workers
        self.fingerprint = inputs.fingerprint(variant, seed) + (start.fingerprint if start else "")
        self.folder = Path(out) / variant
        self.resume_folder = Path(out) / ".resume" / variant
        # A run that starts from another one has its vectors, whose files are in that run's history.
        files = () if start else tuple(File.of(role, path) for role, path in inputs.files(variant))
        self._data = provenance.to_json(replace(inputs.data, files=files))
        self._code: list[Code | None] = [provenance.code()]

    def execute(self, resume: bool = False) -> TrainingState:
        """Train, and write history and state after every epoch and the checkpoint at the end; only the first worker writes."""
        from captioner.training.distributed_trainer import pack_begun, unpack_begun

        self.workers.agree(json.dumps([self.fingerprint, self._data]), "data or settings")
        state, (table, extra) = self.workers.share(lambda: self._begin(resume), pack_begun, unpack_begun)
        try:
            state = self._train(state, table, extra)
            if self.workers.first:
                self._finish(state, table, extra)
            self.workers.wait()
        except BaseException:
            self.stopped()
            raise
        return state

    def _train(self, state: "TrainingState | None", table: EmbeddingTable, extra: dict[str, bytes]) -> TrainingState:
        from captioner.model.decoder import Decoder
        from captioner.training.batches import Examples

        shared = self.inputs
        frozen = find_variant(self.variant).frozen
        channels, regions = shared.encoder.channels, shared.encoder.regions
        config = self._preset(table).decoder
        decoder = Decoder(config, table.vectors, channels, frozen, self.seed, regions, len(shared.vocabulary))
        if self.start:
            decoder.put(self.start.checkpoint.arrays(config))
        finder, known = SlotFinder.of(config, table.words), Vocabulary(table.words)
        examples = Examples.of(shared.train, known, shared.cache, finder)
        dev = Examples.of(shared.dev, known, shared.cache, finder)
        if shared.reads_sentences(self.variant):
            examples = replace(examples, sentences=shared.sentences(known, finder))

        def keep(state: TrainingState) -> None:
            if self.watch:  # First: if interrupted in between, it sees the same epoch again and misses none.
                self.watch(state)
            self._keep(state, table, extra)

        more = {"views": shared.views, "state": state, "label": self.variant, "shown": self.workers.first}
        if self.workers.first:
            more["after_epoch"] = keep
        return self._train_stage(decoder, examples, dev, known, more)

    def _train_stage(
        self, decoder: "Decoder", examples: "Examples", dev: "Examples", known: Vocabulary, more: dict[str, Any]
    ) -> TrainingState:
        from captioner.training.distributed_trainer import DistributedTrainer
        from captioner.training.self_critical import train_by_reward
        from captioner.training.trainer import train

        shared = self.inputs
        if shared.stage == REWARD:
            return train_by_reward(decoder, examples, dev, known, shared.preset.reward, self.seed, **more)
        if self.workers.several:
            more["make_trainer"] = partial(DistributedTrainer, workers=self.workers)
        return train(decoder, examples, dev, shared.preset.training, self.seed, **more)

    def _preset(self, table: EmbeddingTable) -> Preset:
        """The preset with the width of the table, which finished vectors determine."""
        preset = self.inputs.preset
        return replace(preset, decoder=replace(preset.decoder, embedding_dimensions=table.dimensions))

    def _begin(self, resume: bool) -> tuple["TrainingState | None", Table]:
        if exists(self.resume_folder) and resume:
            return self._resumed()
        if exists(self.folder) and resume:
            raise TrainingError(f"The run in {self.folder} is finished and cannot be resumed; train into another --out.")
        if exists(self.folder) or exists(self.resume_folder):
            raise TrainingError(f"{self.folder} already holds a run; continue it with --resume, or train into another --out.")
        if self.start:
            before = [Epoch(**epoch) for epoch in self.start.history["epochs"]]
            return TrainingState(before=before), (self.start.checkpoint.table, dict(self.start.checkpoint.extra))
        return None, self.inputs.table(self.variant, self.seed)

    def _resumed(self) -> tuple[TrainingState, Table]:
        files = load_folder(self.resume_folder)
        try:
            stored = parse_as(files["run.json"], _Interrupted, f"run.json of {self.folder}", _ANOTHER_VERSION)
            if stored.fingerprint != self.fingerprint:
                raise TrainingError(
                    f"The interrupted run in {self.folder} had other settings, another seed or other data; resume it with its "
                    "own, or train into another --out."
                )
            variables, best = (read_tensors(files[name], name) for name in ("state.safetensors", "best.safetensors"))
            extra = {name: files[name] for name in stored.extra}
        except KeyError as error:
            raise TrainingError(f"{self.folder} lacks {error}; {_ANOTHER_VERSION}.") from error
        if stored.code[-1:] != self._code:  # Consecutive parts with the same code count as one.
            self._code = [*stored.code, *self._code]
        return TrainingState(stored.epochs, variables, best, stored.before), (EmbeddingTable.from_files(files), extra)

    def _keep(self, state: TrainingState, table: EmbeddingTable, extra: Mapping[str, bytes]) -> None:
        """Save everything needed to resume, then the history that a page follows."""
        stored = {"fingerprint": self.fingerprint, **state.to_json(), "extra": sorted(extra), "code": self._code_to_json()}
        files = {
            "run.json": json.dumps(stored).encode(),
            "state.safetensors": tensor_pieces(state.variables),
            "best.safetensors": tensor_pieces(state.best),
        }
        save_folder(self.resume_folder, files | table.to_files() | dict(extra))
        write_json(self.folder / HISTORY, self._history(state, RUNNING))

    def stopped(self) -> None:
        """Mark the history as stopped, so that a page does not wait for the next epoch."""
        path = self.folder / HISTORY
        if self.workers.first and path.is_file() and not exists(self.folder):
            write_json(path, read_json(path) | {"state": STOPPED})

    def _finish(self, state: TrainingState, table: EmbeddingTable, extra: dict[str, bytes]) -> None:
        weights = dict(state.best)
        learned = weights.pop(TABLE_WEIGHT, None)
        if learned is not None:
            table = replace(table, vectors=learned, source=f"{table.source.removesuffix(_TRAINED)}{_TRAINED}")
        shared = self.inputs
        checkpoint = Checkpoint(
            variant=self.variant,
            seed=self.seed,
            preset=self._preset(table),
            encoder=EncoderMark.of(shared.encoder),
            vocabulary=shared.vocabulary,
            table=table,
            weights=weights,
            extra=extra,
            stage=shared.stage,
        )
        save(self.folder, checkpoint, self._history(state, FINISHED))
        remove_folder(self.resume_folder)

    def _history(self, state: TrainingState, status: str) -> dict:
        made_with = self.inputs.fingerprint(self.variant, self.seed)
        origin = {"made_with": made_with, "data": self._data, "code": self._code_to_json()}
        origin |= {"started_from": self.start.origin} if self.start else {}
        return state.history(self.variant, self.seed, status) | origin

    def _code_to_json(self) -> list[dict[str, Any] | None]:
        return [part and provenance.to_json(part) for part in self._code]
