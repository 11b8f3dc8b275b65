"""One decoder trained by several processes: each computes its part of every batch, and all move their weights by the sum.

The weights are ordinary variables that every process has for itself. They stay equal because all start from those of the
first and take equal steps; nothing of the optimizer is told to the others.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import tensorflow as tf
from safetensors.numpy import load as load_tensors
from safetensors.numpy import save as save_tensors

from captioner.config import Schedule
from captioner.errors import TrainingError
from captioner.model.decoder import Decoder
from captioner.progress import Progress
from captioner.runtime import cores
from captioner.training.embedding_tables import Table
from captioner.training.history import Epoch, TrainingState
from captioner.training.trainer import Batch, Examples, Trainer, summed_loss
from captioner.training.weight_averages import restore, values_of
from captioner.training.worker_group import SingleWorker
from embeddings.table import EmbeddingTable

_MARK, _VECTORS = "mark", "vectors"
_MASKS_APART = 500_009  # A prime far from the thousand that lies between the seeds of two steps.


class DistributedTrainer(Trainer):
    """The steps of one of several workers."""

    def __init__(self, decoder: Decoder, config: Schedule, seed: int, steps_per_epoch: int, workers: SingleWorker):
        if decoder.statistics:
            raise TrainingError("Batch normalisation takes the whole of every batch; train this preset with one process alone.")
        super().__init__(decoder, config, seed, steps_per_epoch)
        self.workers = workers
        self._kind = decoder.compute_dtype
        self._sizes = [int(np.prod(variable.shape)) for variable in decoder.trainable_variables]
        self.size = sum(self._sizes) + 2
        self.move_by = tf.function(self._move_by_sums, [tf.TensorSpec((self.size,), self._kind)], autograph=False)
        self._cores = int(self._sum_of(cores())[0])
        self._alike = False

    def epoch(self, number: int, examples: Examples, dev: Examples, views: Sequence[str], bar: Progress) -> Epoch:
        """From the first worker's weights: at the start, and where processors of different kinds have rounded differently."""
        if not self._alike:
            for one in self._named_variables():
                restore([one], self.workers.share(partial(values_of, [one]), save_tensors, load_tensors))
        done = super().epoch(number, examples, dev, views, bar)
        self._alike = not self.workers.unlike(self._mark())
        return replace(done, cores=self._cores)

    def _mark(self) -> str:
        """Of all that changes in a run, without a copy of all of it."""
        found = hashlib.sha256()
        for _, variable in self._named_variables():
            found.update(np.ravel(variable.numpy()))
        return found.hexdigest()

    def dev_loss(self, dev: Examples) -> float:
        """As of one process, but each worker looks at its part, and all get the same number."""
        own = self.workers.shard.own
        with self.averaged():
            total, words = summed_loss(self.losses, Examples(dev.records[own], dev.captions[own], dev.cache))
        total, words = self._sum_of(total, words)
        return total / words

    def summed_gradients(self, batch: Batch | None) -> tf.Tensor:
        """What this worker adds to the step, all in one vector; nothing where the batch has no part for it."""
        if batch is None:
            return tf.zeros(self.size, self._kind)
        features, packed = batch
        return self._compiled(len(packed.counts))(features, packed.arrays())

    def learn(self, batch: Batch | None) -> tuple[float, int]:
        loss, words = self.move_by(self.workers.sum(self.summed_gradients(batch))).numpy()
        return float(loss), int(words)

    def _train_step(self, features: tf.Tensor, packed: tuple, steps: int) -> tf.Tensor:
        """The gradients of the sum of these words' losses, end to end; then that sum, plain, and how many words they are."""
        words = tf.cast(tf.shape(packed[1])[0], self._kind)
        with tf.GradientTape() as tape:
            plain, smoothed = self._losses(features, packed, steps)
            summed = smoothed * words
        variables = self.decoder.trainable_variables
        gradients = map(tf.convert_to_tensor, tape.gradient(summed, [variable.value for variable in variables]))
        return tf.concat([*(tf.reshape(gradient, (-1,)) for gradient in gradients), [plain * words, words]], axis=0)

    def _move_by_sums(self, sums: tf.Tensor) -> tf.Tensor:
        """One step by what all workers' parts add up to; gives the mean loss per word and how many words there were."""
        *gradients, loss, words = tf.split(sums, [*self._sizes, 1, 1])
        shapes = [variable.shape for variable in self.decoder.trainable_variables]
        self._apply([tf.reshape(gradient / words, shape) for gradient, shape in zip(gradients, shapes, strict=True)])
        return tf.concat([loss / words, words], axis=0)

    def _dropout_seed(self) -> tf.Tensor:
        """Other masks than those of the other workers, who have other photographs."""
        return super()._dropout_seed() + self.workers.shard.number * _MASKS_APART

    def _sum_of(self, *numbers: float) -> list[float]:
        """Each of these numbers added up over all workers."""
        return self.workers.sum(tf.constant(numbers, self._kind)).numpy().tolist()


def trainer_of(workers: SingleWorker) -> Any:
    """What `captioner.training.trainer.train` needs to train as one of them."""
    return partial(DistributedTrainer, workers=workers)


Begun = tuple[TrainingState | None, Table]


def pack_begun(begun: Begun) -> bytes:
    """Where a run begins, for the other workers: its epochs and the table; the weights they take from the first's trainer."""
    state, (table, _) = begun
    mark = (state or TrainingState()).to_json()
    files = {name: np.frombuffer(data, np.uint8) for name, data in table.to_files().items()}
    # A table's files hold 16 bits of each number, which are all there are of a frozen one's, but not of one drawn at random.
    return save_tensors(files | {_MARK: np.frombuffer(json.dumps(mark).encode(), np.uint8), _VECTORS: table.vectors})


def unpack_begun(data: bytes) -> Begun:
    tensors = load_tensors(data)
    mark, vectors = json.loads(tensors.pop(_MARK).tobytes()), tensors.pop(_VECTORS)
    table = EmbeddingTable.from_files({name: values.tobytes() for name, values in tensors.items()})
    return TrainingState.of(mark), (replace(table, vectors=vectors), {})
