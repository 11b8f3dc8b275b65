"""Workers that are threads: the sum of their shards is the step of one process."""

from dataclasses import replace

import keras
import numpy as np
import pytest
import tensorflow as tf

from captioner.errors import TrainingError
from captioner.model.decoder import Decoder
from captioner.progress import Progress
from captioner.runtime import cores
from captioner.training.batches import batches
from captioner.training.distributed_trainer import DistributedTrainer, pack_begun, unpack_begun
from captioner.training.history import Epoch, TrainingState
from captioner.training.trainer import Trainer
from captioner.training.weight_averages import values_of
from captioner.training.worker_group import Shard, SingleWorker
from support.fakes import SMALL_DECODER, check_equal, small_preset, uncompiled
from support.workers import InThreads, Meeting


def trainer(inputs, kind=DistributedTrainer, dropout=0.0, workers=SingleWorker(), image_norm="none", **changes):
    config = replace(SMALL_DECODER, dropout=dropout, feature_dropout=dropout, image_norm=image_norm)
    table, _ = inputs.table("learned", 1)
    decoder = Decoder(config, table.vectors, inputs.encoder.channels, False, 1)
    settings = small_preset(word_dropout=0.0, learning_rate=0.05, **changes).training
    return kind(decoder, settings, 1, 3, *([workers] if kind is DistributedTrainer else []))


def parts_of(inputs, examples, count, **changes):
    config = small_preset(**{"word_dropout": 0.0} | changes).training
    return [list(batches(examples[0], config, 1, 1, inputs.views, Shard(number, count))) for number in range(count)]


@pytest.mark.parametrize(("count", "at_once"), [(2, 5), (3, 4), (4, 5), (5, 4)])
def test_shards_make_up_every_batch(inputs, examples, count, at_once):
    """Of twelve photographs; the last workers get none of a batch with fewer photographs than workers."""
    (whole,) = parts_of(inputs, examples, 1, images_per_batch=at_once)
    parts = parts_of(inputs, examples, count, images_per_batch=at_once)
    for step, (features, _, packed) in enumerate(whole):
        given = [part[step] for part in parts if part[step] is not None]
        assert len(given) == min(count, len(features))
        for number, (own, _, _) in enumerate(given):
            np.testing.assert_array_equal(own, features[number::count])
        assert sorted(word for _, _, own in given for word in own.targets) == sorted(packed.targets)
    assert sum(len(features) for features, _, _ in whole) == 12


def test_batch_normalisation_is_refused(inputs):
    with pytest.raises(TrainingError, match="Batch normalisation"):
        trainer(inputs, image_norm="batch")


def test_workers_differ_in_dropped_words_and_masks(inputs, examples):
    parts = parts_of(inputs, examples, 2, images_per_batch=12, word_dropout=0.5)
    kept = parts_of(inputs, examples, 2, images_per_batch=12)
    dropped = [(own[0][2].words != full[0][2].words) for own, full in zip(parts, kept, strict=True)]
    assert all(0.2 < mask.mean() < 0.8 for mask in dropped)
    assert dropped[0].shape != dropped[1].shape or (dropped[0] != dropped[1]).any()
    ordering = np.random.default_rng((1, 1)).random(len(dropped[0])) < 0.5
    assert (dropped[0] != ordering).any()
    one, seeds = trainer(inputs), set()
    for number in range(8):
        one.workers = InThreads(number, Meeting(8))
        for step in range(40):
            one.optimizer.iterations.assign(step * 50)
            seeds.add(int(one._dropout_seed()))
    assert len(seeds) == 8 * 40


def of_set(record, name):
    return replace(record, origin=name)


def plain_gradients(one, batch, smoothing):
    """The gradients of the mean loss of a whole batch, by TensorFlow's own loss with labels smoothed by hand."""
    features, _, packed = batch
    size = one.decoder.vocabulary_size
    labels = (1 - smoothing) * tf.one_hot(packed.targets, size) + smoothing / size
    variables = [variable.value for variable in one.decoder.trainable_variables]
    with tf.GradientTape() as tape:
        logits = one.decoder.logits(tf.cast(features, tf.float32), packed.arrays(), len(packed.counts))
        loss = tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits(labels, logits))
    gradients = tape.gradient(loss, variables)
    plain = -tf.reduce_mean(tf.gather(tf.nn.log_softmax(logits), packed.targets, batch_dims=1))
    return np.concatenate([np.ravel(tf.convert_to_tensor(gradient)) for gradient in gradients]), float(plain)


@pytest.mark.slow
@uncompiled()
@pytest.mark.parametrize("count", [2, 5])
def test_the_sum_of_the_shards_is_the_gradient_of_the_batch(inputs, examples, count):
    one = trainer(inputs)
    (whole,) = parts_of(inputs, examples, 1)
    for step, batch in enumerate(whole):
        added = np.sum([one.summed_gradients(part[step]).numpy() for part in parts_of(inputs, examples, count)], axis=0)
        expected, loss = plain_gradients(one, batch, one.config.label_smoothing)
        words = len(batch[2].targets)
        assert added[-1] == words and added[-2] / words == pytest.approx(loss, rel=1e-5)
        np.testing.assert_allclose(added[:-2] / words, expected, atol=1e-6)


@pytest.fixture(params=["float32", "float64"])
def precision(request):
    """The precision of all layers."""
    keras.config.set_floatx(request.param)
    keras.config.set_dtype_policy(request.param)
    yield request.param
    keras.config.set_floatx("float32")
    keras.config.set_dtype_policy("float32")


@pytest.mark.slow
@uncompiled()
def test_an_epoch_of_summed_steps_is_that_of_one_process(inputs, examples, precision):
    """The weights, their averages and the optimizer's state."""
    close = {"float32": 1e-5, "float64": 1e-12}[precision]
    one, several = trainer(inputs, Trainer), trainer(inputs)
    (whole,) = parts_of(inputs, examples, 1)
    parts = parts_of(inputs, examples, 5)
    for step, batch in enumerate(whole):
        loss, words = one.learn(batch)
        mean = several.move_by(tf.add_n([several.summed_gradients(part[step]) for part in parts])).numpy()
        assert mean[0] == pytest.approx(loss, rel=close) and mean[1] == words
    ended, other = values_of(one.named_variables()), values_of(several.named_variables())
    assert set(ended) == set(other)
    for name, values in ended.items():
        assert values.dtype == (precision if name.startswith(("weights/", "averages/")) else values.dtype)
        np.testing.assert_allclose(other[name], values, atol=close, err_msg=name)
    several_sets = replace(examples[1], records=tuple(map(of_set, examples[1].records, "abbb")))
    for dev in (examples[1], several_sets):
        assert one.dev_loss(dev) == pytest.approx(several.dev_loss(dev), abs=close)


@pytest.mark.slow
def test_workers_stay_equal_bit_for_bit(inputs, examples):
    """An epoch with everything random."""
    def work(workers):
        own = trainer(inputs, dropout=0.2, workers=workers)
        if not workers.first:  # Its own first weights must not matter.
            for variable in own.decoder.trainable_variables:
                variable.assign(variable * 0 + 1)
        with Progress("", 1, "", shown=False) as bar:
            epoch = own.epoch(1, *examples, inputs.views, bar)
        return epoch, values_of(own.named_variables())

    (first, weights), (second, others) = Meeting(2).of_all(work)
    assert (first.train_loss, first.dev_loss, first.cores) == (second.train_loss, second.dev_loss, second.cores)
    assert first.cores == 2 * cores()
    check_equal(weights, others)


def test_the_start_of_a_run_reaches_the_other_workers(inputs):
    table, _ = inputs.table("learned", 1)
    epochs = [Epoch(1, 3.0, 3.5, 9.0, 0.1), Epoch(2, 2.5, 3.25, 9.0, 0.05)]
    state, (heard, extra) = unpack_begun(pack_begun((TrainingState(epochs, before=epochs[:1]), (table, {"more": b"x"}))))
    assert (state.epochs, state.before, state.best_epoch, extra) == (epochs, epochs[:1], 2, {})
    assert heard.words == table.words and heard.vectors.tobytes() == table.vectors.tobytes()
    fresh, _ = unpack_begun(pack_begun((None, (table, {}))))
    assert fresh == TrainingState()
