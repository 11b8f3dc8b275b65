"""Data-parallel training: each worker computes its shard of every batch, and all apply the summed gradients.

Every process has its own ordinary variables. They stay equal because all start from the first worker's weights and take equal
steps; optimizer state is never exchanged. Communication is left to `captioner.training.worker_group`.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from statistics import fmean

import numpy as np
import tensorflow as tf
from safetensors.numpy import load as load_tensors
from safetensors.numpy import save as save_tensors

from captioner.config import Schedule
from captioner.errors import TrainingError
from captioner.model.decoder import Decoder, Slots
from captioner.progress import Progress
from captioner.runtime import cores
from captioner.storage import parse_as
from captioner.training.batches import Batch, Examples
from captioner.training.embedding_tables import Table
from captioner.training.history import Epoch, TrainingState
from captioner.training.trainer import Trainer, summed_loss
from captioner.training.weight_averages import restore, values_of
from captioner.training.worker_group import SingleWorker
from embeddings.table import EmbeddingTable

_EPOCHS, _VECTORS = "epochs", "vectors"
_SEEDS_APART = 500_009  # a prime far from the thousand that lies between the seeds of two steps


class DistributedTrainer(Trainer):
    """The training steps of one worker in a group."""

    def __init__(self, decoder: Decoder, config: Schedule, seed: int, steps_per_epoch: int, workers: SingleWorker):
        if decoder.statistics:
            raise TrainingError("Batch normalisation needs the whole of every batch; train this preset with a single process.")
        super().__init__(decoder, config, seed, steps_per_epoch)
        self.workers = workers
        self._kind = decoder.compute_dtype
        self._sizes = [int(np.prod(variable.shape)) for variable in decoder.trainable_variables]
        self.size = sum(self._sizes) + 2
        self.move_by = tf.function(self._move_by_sums, [tf.TensorSpec((self.size,), self._kind)], autograph=False)
        self._cores = int(self._sum_of(cores())[0])
        self._equal = False

    def epoch(self, number: int, examples: Examples, dev: Examples, views: Sequence[str], bar: Progress) -> Epoch:
        """Copy the first worker's weights at the start, and again whenever different processors have rounded differently."""
        if not self._equal:
            for one in self.named_variables():
                restore([one], self.workers.share(partial(values_of, [one]), save_tensors, load_tensors))
        done = super().epoch(number, examples, dev, views, bar)
        self._equal = not self.workers.unlike(self._digest())
        return replace(done, cores=self._cores)

    def _digest(self) -> str:
        """A hash of everything that changes in a run."""
        found = hashlib.sha256()
        for _, variable in self.named_variables():
            found.update(np.ravel(variable.numpy()))
        return found.hexdigest()

    def dev_loss(self, dev: Examples) -> float:
        """Each worker evaluates its shard of every data set; all get the loss of the whole."""
        with self.averaged():
            sums = [self._sum_of(*summed_loss(self.losses, part.part(self.workers.shard.own))) for part in dev.by_set()]
        return fmean(total / words for total, words in sums)

    def summed_gradients(self, batch: Batch | None) -> tf.Tensor:
        """This worker's contribution to the step in one vector; zeros if the batch has no photograph for it."""
        if batch is None:
            return tf.zeros(self.size, self._kind)
        features, slots, packed = batch
        return self._step(len(packed.counts))(features, slots, packed.arrays())

    def learn(self, batch: Batch | None) -> tuple[float, int]:
        loss, words = self.move_by(self.workers.sum(self.summed_gradients(batch))).numpy()
        return float(loss), int(words)

    def _train_step(self, features: tf.Tensor, slots: Slots, packed: tuple, steps: int) -> tf.Tensor:
        """The gradients of the summed loss, flattened into one vector; then the plain sum, and the number of words."""
        words = tf.cast(tf.shape(packed[1])[0], self._kind)
        with tf.GradientTape() as tape:
            plain, smoothed = self._losses(features, slots, packed, steps)
            summed = smoothed * words
        variables = self.decoder.trainable_variables
        gradients = map(tf.convert_to_tensor, tape.gradient(summed, [variable.value for variable in variables]))
        return tf.concat([*(tf.reshape(gradient, (-1,)) for gradient in gradients), [plain * words, words]], axis=0)

    def _move_by_sums(self, sums: tf.Tensor) -> tf.Tensor:
        """Apply the gradients summed over all workers; return the mean loss per word and the number of words."""
        *gradients, loss, words = tf.split(sums, [*self._sizes, 1, 1])
        shapes = [variable.shape for variable in self.decoder.trainable_variables]
        self._apply([tf.reshape(gradient / words, shape) for gradient, shape in zip(gradients, shapes, strict=True)])
        return tf.concat([loss / words, words], axis=0)

    def _dropout_seed(self) -> tf.Tensor:
        """A different seed for each worker, so that their dropout masks differ."""
        return super()._dropout_seed() + self.workers.shard.number * _SEEDS_APART

    def _sum_of(self, *numbers: float) -> list[float]:
        """Each number summed over all workers."""
        return self.workers.sum(tf.constant(numbers, self._kind)).numpy().tolist()


Begun = tuple[TrainingState | None, Table]


def pack_begun(begun: Begun) -> bytes:
    """The start of a run for the other workers: its epochs and its table; they copy the weights from the first trainer."""
    state, (table, _) = begun
    epochs = json.dumps((state or TrainingState()).to_json()).encode()
    files = {name: np.frombuffer(data, np.uint8) for name, data in table.to_files().items()}
    # A table's files hold float16, which is exact for frozen vectors but not for random ones.
    return save_tensors(files | {_EPOCHS: np.frombuffer(epochs, np.uint8), _VECTORS: table.vectors})


def unpack_begun(data: bytes) -> Begun:
    tensors = load_tensors(data)
    epochs = parse_as(tensors.pop(_EPOCHS).tobytes(), dict[str, list[Epoch]], "The first worker's message")
    vectors = tensors.pop(_VECTORS)
    table = EmbeddingTable.from_files({name: values.tobytes() for name, values in tensors.items()})
    return TrainingState(**epochs), (replace(table, vectors=vectors), {})
