"""Losses, averages and rates against NumPy; that a run repeats itself is tested in test_run."""

import math
from dataclasses import replace

import numpy as np
import pytest

from captioner.errors import TrainingError
from captioner.model.decoder import Decoder
from captioner.training import trainer as training
from captioner.training.batches import Examples
from captioner.training.trainer import Trainer, optimizer, train
from captioner.vocabulary import END, START
from support.fakes import SMALL_DECODER, small_inputs, small_preset, two_datasets, uncompiled


def new_decoder(inputs, frozen=False):
    table, _ = inputs.table("learned", 1)
    return Decoder(SMALL_DECODER, table.vectors, inputs.encoder.channels, frozen, 1)


def settings(**changes):
    return small_preset(**changes).training


@pytest.mark.slow
@uncompiled()
def test_the_dev_loss_counts_every_real_word_once(inputs, examples, monkeypatch):
    decoder, dev = new_decoder(inputs), examples[1]
    total, words = 0.0, 0
    for record, captions in zip(dev.records, dev.captions, strict=True):
        image, first = decoder.start(inputs.cache.rows([record]).astype(np.float32))
        for caption in captions:
            state = first
            for word, target in zip((START, *caption), (*caption, END), strict=True):
                log_probabilities, state = decoder.step(image, state, np.array([word]))
                total, words = total - float(log_probabilities[0, target]), words + 1
    monkeypatch.setattr(training, "_DEV_BATCH", 3)
    assert Trainer(decoder, settings(), 0, 3).dev_loss(dev) == pytest.approx(total / words, abs=1e-4)


@pytest.mark.slow
@uncompiled()
def test_several_data_sets(tensorflow, cache):
    """The dev loss is the mean of theirs; an epoch has a step more for the further set's photographs, shown twice."""
    both = small_inputs(cache, dataset=two_datasets())
    examples, dev = (Examples.of(part, both.vocabulary, both.cache) for part in (both.train, both.dev))
    trainer = Trainer(new_decoder(both), settings(), 0, 6)
    alone = [trainer.dev_loss(dev.part(part)) for part in (slice(4), slice(4, 6))]
    assert abs(alone[0] - alone[1]) > 1e-4 and trainer.dev_loss(dev) == pytest.approx(sum(alone) / 2, abs=1e-6)
    counted = []
    state = train(new_decoder(both), examples, dev, settings(epochs=1, other_share=2.0), 1, make_trainer=lambda *given: (
        counted.append(given[-1]) or Trainer(*given)
    ))  # fmt: skip
    assert counted == [6]
    assert state.variables["optimizer/adam_w/iteration"] == 6


@pytest.mark.slow
def test_one_training_follows_every_rule(inputs, examples):
    """One batch an epoch, so that every step shows: averages, history and best weights."""
    decoder, config = new_decoder(inputs), settings(epochs=5, images_per_batch=12, averaging=0.3)
    start = {variable.path: variable.numpy() for variable in decoder.trainable_variables}
    seen, bests = [], []

    def record(state):
        seen.append(dict(state.variables))
        bests.append((state.best_epoch, state.best))

    state = train(decoder, *examples, config, 1, inputs.views, after_epoch=record)
    averages = dict(start)
    for step, variables in enumerate(seen, 1):
        keep = min(0.3, (1 + step) / (10 + step))
        for name in start:
            averages[name] = keep * averages[name] + (1 - keep) * variables[f"weights/{name}"]
            np.testing.assert_allclose(variables[f"averages/{name}"], averages[name], atol=1e-6)
    assert all((seen[-1][f"weights/{name}"] != values).any() for name, values in start.items())
    losses = [epoch.dev_loss for epoch in state.epochs]
    assert [epoch.epoch for epoch in state.epochs] == [1, 2, 3, 4, 5] and losses[-1] < losses[0]
    assert state.best_epoch == 1 + int(np.argmin(losses))
    for number, (best, weights) in enumerate(bests, 1):
        assert best == 1 + int(np.argmin(losses[:number]))
        assert all((weights[name] == seen[best - 1][f"averages/{name}"]).all() for name in start)


@uncompiled()
@pytest.mark.slow
def test_a_frozen_table_stays_bit_for_bit(inputs, examples):
    decoder = new_decoder(inputs, frozen=True)
    before = decoder.table.numpy().tobytes()
    state = train(decoder, *examples, settings(epochs=1), 1)
    assert decoder.table.numpy().tobytes() == before
    assert not any("table" in name for name in (*state.variables, *state.best))


def test_the_learning_rate_rises_and_falls_as_a_cosine():
    adam = optimizer(settings(epochs=5, learning_rate=0.2, warmup_epochs=0.5), steps_per_epoch=10)
    for step in (0, 1, 3, 5, 6, 20, 40, 50, 60):
        adam.iterations.assign(step)
        expected = 0.2 * step / 5 if step < 5 else 0.1 * (1 + math.cos(math.pi * min(step - 5, 45) / 45))
        assert float(adam.learning_rate) == pytest.approx(expected, abs=1e-6)


def test_biases_do_not_decay(inputs):
    decoder = new_decoder(inputs)
    trainer = Trainer(decoder, settings(weight_decay=0.5, learning_rate=0.1, warmup_epochs=0), 0, 1)
    before = {variable.path: variable.numpy() + 0 for variable in decoder.trainable_variables}
    trainer.optimizer.iterations.assign(1)  # Past the warm-up, so that the rate is not zero.
    trainer.optimizer.apply([np.zeros(variable.shape, np.float32) for variable in decoder.trainable_variables])
    for variable in decoder.trainable_variables:
        moved = (variable.numpy() != before[variable.path]).any()
        assert moved == (not variable.path.endswith("bias")), variable.path


@pytest.mark.slow
@uncompiled()
def test_early_stop(inputs, examples):
    standing = settings(epochs=9, patience=2, learning_rate=0.0)
    state = train(new_decoder(inputs), *examples, standing, 1)
    assert len(state.epochs) == 3 and state.best_epoch == 1


@uncompiled()
@pytest.mark.slow
def test_a_loss_that_is_not_finite(inputs, examples):
    decoder = new_decoder(inputs)
    decoder.parts["words"].bias.assign(np.full(decoder.vocabulary_size, np.nan))
    with pytest.raises(TrainingError, match="loss became nan in epoch 1; lower the learning rate"):
        train(decoder, *examples, settings(epochs=1), 1)
    # Here only the loss after the last step of the epoch is not finite.
    wild = replace(settings(epochs=2, images_per_batch=12, warmup_epochs=0), learning_rate=math.inf)
    with pytest.raises(TrainingError, match="in epoch [12]"):
        train(new_decoder(inputs), *examples, wild, 1)
