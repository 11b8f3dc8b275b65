"""The reward stage: rewards, sampled captions and their gradient against independent computations."""

from collections import Counter
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import tensorflow as tf

from captioner.captioning.captioner import Captioner
from captioner.config import FIRST, REWARD, RewardConfig, SearchConfig
from captioner.errors import TrainingError
from captioner.model.checkpoints import load
from captioner.model.decoder import Decoder
from captioner.model.word_slots import WordSlots
from captioner.scoring.metrics import Scorer, score
from captioner.training.batches import Examples
from captioner.training.run import Run, Start
from captioner.training.self_critical import Rewards, RewardTrainer, Writer, _choose, advantages, apply_temperature, until_end
from captioner.vocabulary import END, PADDING, START, UNKNOWN, tokenize
from support.fakes import (
    SMALL_DECODER,
    SMALL_VOCABULARY,
    StubEncoder,
    check_equal,
    small_checkpoint,
    small_inputs,
    small_preset,
    stop_after_an_epoch,
    two_datasets,
    uncompiled,
)

pytestmark = pytest.mark.slow
_SCHEDULE = {"epochs": 3, "images_per_batch": 4, "learning_rate": 1e-2, "views": 1, "warmup_epochs": 0}
SETTINGS = RewardConfig(temperature=0.8, feature_dropout=0.2, maximum_words=9, **_SCHEDULE)


@pytest.fixture(scope="module")
def inputs(tensorflow, cache):
    return small_inputs(cache, small_preset(epochs=12, views=1, learning_rate=0.03))


@pytest.fixture(scope="module")
def first_stage(inputs, tmp_path_factory):
    folder = tmp_path_factory.mktemp("first")
    Run(inputs, "learned", 1, folder).execute()
    return folder


def new_trainer(inputs, examples, decoder=None, config=SETTINGS):
    table, _ = inputs.table("learned", 1)
    decoder = decoder or Decoder(SMALL_DECODER, table.vectors, inputs.encoder.channels, False, 1)
    rewards = Rewards(examples[0], inputs.vocabulary)
    return RewardTrainer(decoder, config, 1, 3, rewards, examples[1])


def test_the_end_word_is_rewarded(inputs, examples):
    """Against the scorer of the evaluation, with the end word as a word of every text."""
    rewards, vocabulary = Rewards(examples[0], inputs.vocabulary), inputs.vocabulary
    records = examples[0].records
    references = [[f"{caption} endword" for caption in record.captions] for record in records]
    first = tokenize(records[0].captions[0])
    ids = vocabulary.encode(first)
    for image in range(3):
        for caption, text in (([*ids, END], [*first, "endword"]), (ids, first)):
            with_it, without = (
                score([own if number == image else first for number in range(len(records))], references)["cider"]
                for own in (text, [])
            )
            assert rewards(image, caption) == pytest.approx((with_it - without) * len(records), abs=1e-9)
    assert rewards(0, [*ids, END]) > rewards(0, ids)


def test_every_data_set_has_its_own_document_frequencies(inputs):
    """Rewards and dev CIDEr of two sets are those of each alone."""
    both = small_inputs(inputs.cache.folder.parent, inputs.preset, two_datasets())
    train, dev = (Examples.of(part, both.vocabulary, both.cache) for part in (both.train, both.dev))
    together, alone = Rewards(train, both.vocabulary), [Rewards(part, both.vocabulary) for part in train.by_set()]
    caption = [*both.vocabulary.encode(tokenize(both.train[0].captions[0])), END]
    for image in range(18):
        assert together(image, caption) == (alone[0](image, caption) if image < 12 else alone[1](image - 12, caption))
    joint = Rewards(replace(train, records=tuple(replace(record, origin="") for record in train.records)), both.vocabulary)
    assert any(abs(joint(image, caption) - together(image, caption)) > 1e-3 for image in range(18))
    trainer = new_trainer(both, (train, dev))
    parts = [trainer._mean_cider(part, Scorer([record.captions for record in part.records])) for part in dev.by_set()]
    assert trainer._dev_cider(dev) == pytest.approx(sum(parts) / 2)


def test_words_said_twice_and_cut_off_ends_cost_the_penalty(inputs, examples):
    plain, strict = (Rewards(examples[0], inputs.vocabulary, penalty) for penalty in (0.0, 0.5))
    words = inputs.vocabulary.encode(tokenize(examples[0].records[0].captions[0]))
    article, twice = (inputs.vocabulary.encode(tokenize(text)) for text in ("a", "red and red"))
    assert words[:2] != words[2:4] and UNKNOWN not in twice
    costs = ((words, 0), (words[:2] + words[:2], 0.5), (twice, 0.5), (words + article, 0.5), (article, 0.5), ([], 0))
    for caption, cost in costs:
        for end in ([], [END]):
            assert strict(0, caption + end) == pytest.approx(plain(0, caption + end) - cost)


def test_the_baseline_is_the_mean_of_the_other_samples():
    rewards = np.random.default_rng(0).random((4, 5))
    for photograph, row in enumerate(rewards):
        for place, own in enumerate(row):
            others = [value for other, value in enumerate(row) if other != place]
            assert advantages(rewards)[photograph, place] == pytest.approx(own - sum(others) / 4)


def test_the_temperature_divides_every_logit():
    decoder, features = small_checkpoint().build(), np.random.default_rng(0).random((2, 9, 6), np.float32)

    def scores():
        image, state = decoder.start(features)
        return decoder.step(image, state, np.array([START, START]))[0].numpy()

    before = scores()
    apply_temperature(decoder, 0.5)
    expected = np.exp(2 * before) / np.exp(2 * before).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(np.exp(scores()), expected, rtol=1e-4)


@pytest.mark.parametrize("entry", ["attention", "merge", "init", "pre"])
def test_the_likeliest_caption_is_the_greedy_one(entry):
    decoder, features = small_checkpoint(image_entry=entry).build(), np.random.default_rng(1).random((7, 9, 6), np.float32)
    written = Writer(decoder, 8, 2).likeliest(features, WordSlots.none(7)[:2])
    for row, caption in zip(features, written, strict=True):
        image, state = decoder.start(row[None])
        words, current = [], START
        while current != END and len(words) < 8:
            found, state = decoder.step(image, state, np.array([current]))
            scores = found.numpy()[0]
            scores[[PADDING, START, UNKNOWN]] = -np.inf
            current = int(np.argmax(scores))
            words.append(current)
        assert caption == [word for word in words if word != END]


def test_captions_are_sampled_by_the_probabilities_of_their_words():
    """Thousands of samples against the probabilities of single steps, renormalised without the forbidden words."""
    decoder, features = small_checkpoint().build(), np.random.default_rng(2).random((2, 9, 6), np.float32)
    slots = WordSlots.none(2)[:2]
    drawn = Writer(decoder, 6, 4000).drawn(features, slots, np.array([3, 4], np.int32))
    assert drawn.shape[0] == 8000 and not np.isin(drawn, (PADDING, START, UNKNOWN)).any()
    again = Writer(decoder, 6, 4000).drawn(features, slots, np.array([3, 4], np.int32))
    np.testing.assert_array_equal(drawn, again)
    assert (drawn != Writer(decoder, 6, 4000).drawn(features, slots, np.array([3, 5], np.int32))[:, : drawn.shape[1]]).any()
    for number, captions in enumerate(np.split(drawn, 2)):
        image, state = decoder.start(features[number : number + 1])
        first, after = decoder.step(image, state, np.array([START]))
        expected = renormalised(first.numpy()[0])
        check_shares(captions[:, 0], expected)
        common = Counter(word for word in captions[:, 0] if word != END).most_common(1)[0][0]
        following = captions[captions[:, 0] == common]
        second = decoder.step(image, after, np.array([common]))[0].numpy()[0]
        check_shares(following[:, 1], renormalised(second))
    for caption in drawn:
        assert all(after == END for before, after in pairwise(caption) if before == END)


def test_no_random_number_is_used_twice():
    """Neither in other steps of a batch nor in other batches."""
    even = np.zeros((50, 1000), np.float32)
    drawn = [_choose(even, np.array([1, batch], np.int32), step).numpy().tobytes() for batch in range(5) for step in range(5)]
    assert len(set(drawn)) == len(drawn)


def renormalised(log_probabilities):
    probabilities = np.exp(log_probabilities)
    probabilities[[PADDING, START, UNKNOWN]] = 0
    return probabilities / probabilities.sum()


def check_shares(words, probabilities):
    """Each word's share is within 4.5 standard deviations of its probability."""
    found = np.bincount(words, minlength=len(SMALL_VOCABULARY)) / len(words)
    spread = np.sqrt(probabilities * (1 - probabilities) / len(words))
    assert (np.abs(found - probabilities) <= 4.5 * spread + 1e-6).all(), (found, probabilities)


def test_the_gradient_is_that_of_the_sampled_captions(inputs, examples, monkeypatch):
    """Against the plain sum of gains times log-probabilities, word by word."""
    trainer = new_trainer(inputs, examples)
    chosen, no_slots, features = np.arange(4), WordSlots.none(4)[:2], examples[0].cache.rows(examples[0].records[:4])
    seed = np.array([1, 0], np.int32)
    kept = trainer._dropped(features, seed)
    drawn = [until_end(row) for row in trainer.writer.drawn(kept, no_slots, seed)]
    rewards = np.array([trainer.rewards(row // 5, words + [END] * ended) for row, (words, ended) in enumerate(drawn)])
    gains = advantages(rewards.reshape(-1, 5)).ravel()
    assert any(not ended for _, ended in drawn) and any(ended for _, ended in drawn)

    decoder, variables = trainer.decoder, trainer.decoder.trainable_variables
    never = tf.constant(trainer.writer.never)
    with tf.GradientTape() as tape:
        total, words_drawn = 0.0, 0
        for row, (words, ended) in enumerate(drawn):
            image, state = decoder.start(kept[row // 5 : row // 5 + 1])
            for before, word in pairwise([START, *words, *([END] * ended)]):
                log_probabilities, state = decoder.step(image, state, tf.constant([before]))
                total += float(gains[row]) * tf.nn.log_softmax(log_probabilities[0] + never)[word]
            words_drawn += len(words) + 1
        loss = -total / words_drawn
    expected = tape.gradient(loss, [variable.value for variable in variables])

    seen = []

    monkeypatch.setattr(trainer.optimizer, "apply", lambda gradients, _: seen.append(gradients))
    with uncompiled():
        assert trainer._learn(features, no_slots, chosen) == pytest.approx(rewards.mean(), abs=1e-6)
    for variable, found, wanted in zip(variables, seen[0], expected, strict=True):
        np.testing.assert_allclose(tf.convert_to_tensor(found), tf.convert_to_tensor(wanted), atol=2e-6, err_msg=variable.path)


def test_channels_are_dropped_for_a_whole_photograph(inputs, examples):
    trainer = new_trainer(inputs, examples)
    kept = trainer._dropped(np.ones((200, 9, 6), np.float16), np.array([1, 2], np.int32)).numpy()
    assert (kept == kept[:, :1]).all() and set(np.unique(kept)) == {0, np.float32(1 / 0.8)}
    assert (kept == 0).mean() == pytest.approx(0.2, abs=0.04)


def run(inputs, folder, start, **changes):
    preset = replace(inputs.preset, reward=replace(SETTINGS, **changes))
    second = small_inputs(inputs.cache.folder.parent, preset, stage=REWARD)
    return Run(second, "learned", 1, folder, Start.load(start, "learned", second))


def test_the_reward_rises_and_the_history_continues(inputs, first_stage, tmp_path):
    state = run(inputs, tmp_path, first_stage, epochs=20, patience=20).execute()
    epochs = state.epochs
    assert epochs[-1].reward > epochs[0].reward + 0.05
    assert all(epoch.stage == REWARD and epoch.dev_cider is not None and epoch.dev_loss > 0 for epoch in epochs)
    assert state.best_epoch == 1 + int(np.argmax([epoch.dev_cider for epoch in epochs]))
    history = state.history("learned", 1, "finished")
    assert [epoch["stage"] for epoch in history["epochs"]] == [FIRST] * 12 + [REWARD] * 20
    assert "reward" not in history["epochs"][0] and history["best_epoch"] == 12 + state.best_epoch


def test_dev_cider_is_that_of_greedy_captions(inputs, first_stage, examples):
    """Against captions by the Captioner's own search, scored by the evaluation."""
    checkpoint = load(first_stage / "learned")
    trainer = new_trainer(inputs, examples, checkpoint.build(), replace(SETTINGS, temperature=1.0, maximum_words=30))
    captioner = Captioner(StubEncoder(), {"learned": checkpoint})
    seen = examples[1].cache.seen(examples[1].records)
    config = SearchConfig(method="greedy", alternatives=0)
    texts = [found["learned"][0].text for found in captioner.caption_seen(seen, config)]
    assert trainer._dev_cider(examples[1]) == pytest.approx(trainer.dev_scorers[0].score(texts).metrics["cider"], abs=1e-9)


@uncompiled()
def test_it_resumes_exactly_and_is_not_started_from_again(inputs, first_stage, tmp_path, monkeypatch):
    whole = run(inputs, tmp_path / "whole", first_stage, epochs=2).execute()
    stop_after_an_epoch(run(inputs, tmp_path / "broken", first_stage, epochs=2), monkeypatch)
    resumed = run(inputs, tmp_path / "broken", first_stage, epochs=2).execute(resume=True)
    check_equal(resumed.variables, whole.variables)
    assert [epoch.dev_cider for epoch in resumed.epochs] == [epoch.dev_cider for epoch in whole.epochs]
    with pytest.raises(TrainingError, match="through the second stage"):
        run(inputs, tmp_path / "third", tmp_path / "whole")
