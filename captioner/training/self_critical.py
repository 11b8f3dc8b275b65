"""The reward stage: the decoder samples captions, and those with a high CIDEr are made more probable.

Self-critical policy gradient; the baseline of a caption is the mean reward of the other samples for its photograph. The loop,
early stop and history are those of `captioner.training.trainer`; counting n-grams is left to `captioner.scoring.metrics`.
"""

import math
import time
from collections.abc import Sequence
from functools import partial
from statistics import fmean
from typing import Any

import numpy as np
import tensorflow as tf

from captioner.config import REWARD, RewardConfig
from captioner.model.copying import slots_of_words, slots_signature, table_rows
from captioner.model.decoder import PACKED_SIGNATURE, Decoder, Slots
from captioner.model.losses import NEVER, cross_entropy, mixture_losses
from captioner.model.packing import pack
from captioner.progress import Progress
from captioner.runtime import cores
from captioner.scoring.caption_style import is_cut, repeats, says_twice
from captioner.scoring.metrics import Scorer
from captioner.training.batches import Examples, shuffled
from captioner.training.history import Epoch, TrainingState
from captioner.training.trainer import Trainer, by_steps, finite, mean_loss, train
from captioner.vocabulary import END, END_WORD, PADDING, START, UNKNOWN, Vocabulary, tokenize

stateless_fold_in = tf.random.experimental.stateless_fold_in

_DEV_IMAGES_AT_ONCE = 100
_LOSS_IMAGES = 500  # training photographs that the loss on people's captions is measured on


class Rewards:
    """CIDEr-D of sampled captions against the photograph's own captions, minus `penalty` for a word said twice or a cut-off end.

    N-grams are weighted by the captions of the photograph's data set.
    The end word is scored too: without it, a caption could stop anywhere at no cost. CIDEr hardly notices the flaws.
    """

    def __init__(self, examples: Examples, vocabulary: Vocabulary, penalty: float = 0.0):
        self.words, self.penalty = vocabulary.words, penalty
        given = [[tokenize(caption) for caption in record.captions] for record in examples.records]
        ended = [[[*caption, END_WORD] for caption in captions if caption] for captions in given]
        self._scored: dict[int, tuple[Scorer, int]] = {}  # by photograph, the scorer of its data set and its number there
        for own in examples.sets:
            scorer = Scorer([ended[image] for image in own])
            self._scored |= {int(image): (scorer, place) for place, image in enumerate(own)}

    def __call__(self, image: int, caption: Sequence[int]) -> float:
        """The reward of one caption, with its end word if it has one, for a photograph by number."""
        words = [self.words[word] for word in caption]
        text = words[:-1] if words[-1:] == [END_WORD] else words
        flawed = self.penalty and (repeats(text) or is_cut(text) or says_twice(text))
        scorer, place = self._scored[image]
        return scorer.cider(place, words) - self.penalty * flawed


def advantages(rewards: np.ndarray) -> np.ndarray:
    """The reward of each caption minus the mean of the others of its photograph: (photographs, samples).

    >>> advantages(np.array([[1.0, 0.0, 0.5]]))
    array([[ 0.75, -0.75,  0.  ]])
    """
    samples = rewards.shape[1]
    return (rewards - rewards.mean(axis=1, keepdims=True)) * (samples / (samples - 1))


def apply_temperature(decoder: Decoder, temperature: float) -> None:
    """Divide the logits by a temperature, permanently: the output weights are scaled."""
    for weight in decoder.parts["words"].weights:
        weight.assign(weight / temperature)


class Writer:
    """Writes captions in one compiled loop: the likeliest word at each step, or sampled words."""

    def __init__(self, decoder: Decoder, maximum_words: int, samples: int):
        self.decoder, self.maximum_words = decoder, maximum_words
        self.never = never_written(decoder.vocabulary_size)
        given = [tf.TensorSpec((None, None, decoder.channels)), slots_signature(decoder)]
        seed = tf.TensorSpec((2,), tf.int32)
        self._likeliest = tf.function(lambda *photographs: self._loop(*photographs, None, 1), given, autograph=False)
        self._drawn = tf.function(lambda *given: self._loop(*given, samples), [*given, seed], autograph=False)

    def likeliest(self, features: np.ndarray, slots: Slots) -> list[list[int]]:
        """One caption for each photograph as rows of the table, without its end word."""
        return [until_end(row)[0] for row in self._likeliest(features, slots).numpy()]

    def drawn(self, features: tf.Tensor, slots: Slots, seed: np.ndarray) -> np.ndarray:
        """Sampled captions, photograph by photograph, (photographs * samples, steps), filled up with end words."""
        return self._drawn(features, slots, seed).numpy()

    def _loop(self, features: tf.Tensor, slots: Slots, seed: tf.Tensor | None, samples: int) -> tf.Tensor:
        memory, state = self.decoder.start(features, slots)
        rows = tf.repeat(slots[0], samples, axis=0)

        def write(step: tf.Tensor, words: tf.Tensor, written: tf.TensorArray, state: list) -> tuple:
            scores, state = self.decoder.step(memory, state, words, self.never)
            following = tf.where(words == END, END, _choose(scores, seed, step))
            in_table = table_rows(following, rows, self.decoder.vocabulary_size) if self.decoder.config.word_slots else following
            return step + 1, following, written.write(step, in_table), state

        def unfinished(step: tf.Tensor, words: tf.Tensor, _written: tf.TensorArray, _state: list) -> tf.Tensor:
            return tf.logical_and(step < self.maximum_words, tf.reduce_any(words != END))

        first = tf.fill((tf.shape(features)[0] * samples,), START)
        state = [tf.repeat(part, samples, axis=0) for part in state]
        written = tf.TensorArray(tf.int32, self.maximum_words, element_shape=(None,))
        steps, _, written, _ = tf.while_loop(unfinished, write, (0, first, written, state))
        return tf.transpose(written.gather(tf.range(steps)))


def _choose(scores: tf.Tensor, seed: tf.Tensor | None, step: tf.Tensor) -> tf.Tensor:
    if seed is None:
        return tf.argmax(scores, axis=1, output_type=tf.int32)
    return tf.random.stateless_categorical(scores, 1, stateless_fold_in(seed, step), dtype=tf.int32)[:, 0]


def never_written(vocabulary_size: int) -> np.ndarray:
    """Addends for the logits that rule out padding, the start word and the unknown word."""
    added = np.zeros(vocabulary_size, np.float32)
    added[[PADDING, START, UNKNOWN]] = NEVER
    return added


def until_end(words: np.ndarray) -> tuple[list[int], bool]:
    """The words before the end word, and whether there is one.

    >>> until_end(np.array([7, 5, END, END])), until_end(np.array([7, 5]))
    (([7, 5], True), ([7, 5], False))
    """
    ended = bool((words == END).any())
    return words[: int(np.argmax(words == END)) if ended else len(words)].tolist(), ended


class RewardTrainer(Trainer):
    """The compiled steps of the reward stage; captions are sampled from the distribution whose gradient is taken."""

    config: RewardConfig

    def __init__(
        self, decoder: Decoder, config: RewardConfig, seed: int, steps_per_epoch: int, rewards: Rewards, dev: Examples
    ):
        apply_temperature(decoder, config.temperature)
        super().__init__(decoder, config, seed, steps_per_epoch)
        self.rewards = rewards
        self.dev_scorers = [Scorer([record.captions for record in part.records]) for part in dev.by_set()]
        self.writer = Writer(decoder, config.maximum_words, config.samples)
        spec = [tf.TensorSpec((None, None, decoder.channels), tf.float16), tf.TensorSpec((2,), tf.int32)]
        features, gains = tf.TensorSpec((None, None, decoder.channels)), tf.TensorSpec((None,))
        self._rewarded = by_steps(self._policy_step, [features, slots_signature(decoder), PACKED_SIGNATURE, gains])
        self._dropped = tf.function(self._drop_channels, spec, autograph=False)

    def epoch(self, number: int, examples: Examples, dev: Examples, views: Sequence[str], bar: Progress) -> Epoch:
        start, total, done = time.monotonic(), 0.0, 0
        random = np.random.default_rng((self.seed, number))
        for chosen, names in shuffled(examples, self.config.images_per_batch, views, random, self.config.other_share):
            features, slots = examples.photographs(chosen, names)
            total += finite(self._learn(features, slots[:2], chosen), number) * len(chosen)
            done += len(chosen)
            bar.advance(note=f"epoch {number}, reward {total / done:.3f}")
        with self.averaged():
            losses = [finite(mean_loss(self.losses, part), number) for part in (examples.part(slice(_LOSS_IMAGES)), dev)]
            cider = self._dev_cider(dev)
        rate = float(self.optimizer.learning_rate)
        return Epoch(number, *losses, time.monotonic() - start, rate, REWARD, total / done, cider, cores())

    def _learn(self, features: np.ndarray, slots: Slots, chosen: np.ndarray) -> float:
        """Sample captions of these photographs and take one step towards the better ones; the mean reward."""
        seed = np.array([self.seed, int(self.optimizer.iterations)], np.int32)
        kept = self._dropped(features, seed)
        captions = [until_end(row) for row in self.writer.drawn(kept, slots, seed)]
        samples = self.config.samples
        rewards = np.array(
            [self.rewards(chosen[row // samples], words + [END] * ended) for row, (words, ended) in enumerate(captions)],
            np.float32,
        )
        packed = pack([[words for words, _ in captions[row : row + samples]] for row in range(0, len(captions), samples)])
        gains = packed.spread(advantages(rewards.reshape(-1, samples)).ravel())
        cut_off = packed.spread(np.array([not ended for _, ended in captions]))
        gains[cut_off & (packed.targets == END)] = 0  # The end word was not sampled.
        entropy = float(self._rewarded(len(packed.counts))(kept, slots, packed.arrays(), gains))
        return float(rewards.mean()) if math.isfinite(entropy) else math.nan

    def _policy_step(self, features: tf.Tensor, slots: Slots, packed: tuple, gains: tf.Tensor, steps: int) -> tf.Tensor:
        """One step towards captions with a gain; the mean cross-entropy of a sampled word."""
        with tf.GradientTape() as tape:
            scores = self.decoder.scores(features, packed, steps, slots=slots)
            scores = scores._replace(logits=scores.logits + self.writer.never)
            if scores.copying is None:
                each = cross_entropy(scores.logits, packed[1])  # (words,)
            else:
                each = mixture_losses(scores, packed[1], slots_of_words(slots, packed))[0]
            loss = tf.reduce_mean(gains * each)
        self._move(tape, loss)
        return tf.reduce_mean(each)

    def _drop_channels(self, features: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        """Dropout of whole channels, the same for sampling and for learning."""
        features, rate = tf.cast(features, tf.float32), self.config.feature_dropout
        own = stateless_fold_in(seed, self.config.maximum_words)  # Words are sampled with the numbers below it.
        kept = tf.random.stateless_uniform((tf.shape(features)[0], 1, features.shape[-1]), own) >= rate
        return features * tf.cast(kept, tf.float32) / (1 - rate)

    def _dev_cider(self, dev: Examples) -> float:
        """CIDEr of greedy captions, computed as in `captioner.scoring.evaluation`; the mean of the data sets."""
        return fmean(map(self._mean_cider, dev.by_set(), self.dev_scorers))

    def _mean_cider(self, dev: Examples, scorer: Scorer) -> float:
        captions = []
        for first in range(0, len(dev.records), _DEV_IMAGES_AT_ONCE):
            features, slots = dev.photographs(range(first, min(first + _DEV_IMAGES_AT_ONCE, len(dev.records))))
            found = self.writer.likeliest(features.astype(np.float32), slots[:2])
            captions += [[self.rewards.words[word] for word in caption] for caption in found]
        return float(np.mean([scorer.cider(image, caption) for image, caption in enumerate(captions)]))


def train_by_reward(
    decoder: Decoder, examples: Examples, dev: Examples, vocabulary: Vocabulary, config: RewardConfig, seed: int, **more: Any
) -> TrainingState:
    """Like `captioner.training.trainer.train`, for a decoder that has finished the first stage."""
    make_trainer = partial(RewardTrainer, rewards=Rewards(examples, vocabulary, config.flaw_penalty), dev=dev)
    return train(decoder, examples, dev, config, seed, make_trainer=make_trainer, **more)
