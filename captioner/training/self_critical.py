"""The second stage of training: the decoder writes captions of its own, and CIDEr says which of them to write more often.

Self-critical policy gradient: what a caption is held against are the other captions drawn for the same photograph. The loop,
early stop and history are those of `captioner.training.trainer`; counting n-grams is left to `captioner.scoring.metrics`.
"""

import math
import time
from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from captioner.config import REWARD, RewardConfig
from captioner.model.decoder import PACKED_SIGNATURE, Decoder
from captioner.model.losses import cross_entropy
from captioner.model.packing import pack
from captioner.progress import Progress
from captioner.runtime import cores
from captioner.scoring.caption_style import is_cut, repeats
from captioner.scoring.metrics import Scorer
from captioner.training.batches import Examples, shuffled
from captioner.training.history import Epoch, TrainingState
from captioner.training.trainer import Trainer, by_steps, finite, mean_loss, train
from captioner.vocabulary import END, END_WORD, PADDING, START, UNKNOWN, Vocabulary, tokenize

stateless_fold_in = tf.random.experimental.stateless_fold_in

_NEVER = -1e9  # Added to the score of a word that is never written.
_DEV_IMAGES_AT_ONCE = 100
_LOOKED_BACK_AT = 500  # So many training photographs show how the loss on people's captions goes.


class Rewards:
    """CIDEr-D of drawn captions against the captions that people gave the same photograph.

    The end word is one of the words that are scored: without it a caption could stop anywhere and lose nothing. CIDEr hardly
    minds that a caption says a thing twice, or breaks off; `penalty` is taken off where it does.
    """

    def __init__(self, examples: Examples, vocabulary: Vocabulary, penalty: float = 0.0):
        self.words, self.penalty = vocabulary.words, penalty
        given = [[tokenize(caption) for caption in record.captions] for record in examples.records]
        self._scorer = Scorer([[[*caption, END_WORD] for caption in captions if caption] for captions in given])

    def __call__(self, image: int, caption: Sequence[int]) -> float:
        """The reward of one caption, its end word with it if it has one, for a photograph counted from 0."""
        words = [self.words[word] for word in caption]
        said = words[:-1] if words[-1:] == [END_WORD] else words
        flawed = self.penalty and (repeats(said) or is_cut(said))
        return self._scorer.cider(image, words) - self.penalty * flawed


def advantages(rewards: np.ndarray) -> np.ndarray:
    """How much better each caption is than the others of its photograph are on average: (photographs, samples).

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
    """Writes captions in one compiled loop: the likeliest word each time, or words drawn by their probability."""

    def __init__(self, decoder: Decoder, maximum_words: int, samples: int):
        self.decoder, self.maximum_words = decoder, maximum_words
        self.never = never_written(decoder.vocabulary_size)
        features, seed = tf.TensorSpec((None, None, decoder.channels)), tf.TensorSpec((2,), tf.int32)
        self._likeliest = tf.function(lambda features: self._loop(features, None, 1), [features], autograph=False)
        self._drawn = tf.function(lambda features, seed: self._loop(features, seed, samples), [features, seed], autograph=False)

    def likeliest(self, features: np.ndarray) -> list[list[int]]:
        """One caption for each photograph, without its end word."""
        return [until_end(row)[0] for row in self._likeliest(features).numpy()]

    def drawn(self, features: tf.Tensor, seed: np.ndarray) -> np.ndarray:
        """Captions of each photograph in turn, (photographs * samples, steps); past its end a caption repeats the end word."""
        return self._drawn(features, seed).numpy()

    def _loop(self, features: tf.Tensor, seed: tf.Tensor | None, samples: int) -> tf.Tensor:
        image, state = self.decoder.start(features)

        def write(step: tf.Tensor, words: tf.Tensor, written: tf.TensorArray, state: list) -> tuple:
            scores, state = self.decoder.step(image, state, words)
            following = tf.where(words == END, END, _choose(scores + self.never, seed, step))
            return step + 1, following, written.write(step, following), state

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
    """What is added to the scores of the words, so that neither padding nor start nor the unknown word is ever written."""
    added = np.zeros(vocabulary_size, np.float32)
    added[[PADDING, START, UNKNOWN]] = _NEVER
    return added


def until_end(words: np.ndarray) -> tuple[list[int], bool]:
    """The words before the end word, and whether it came at all.

    >>> until_end(np.array([7, 5, END, END])), until_end(np.array([7, 5]))
    (([7, 5], True), ([7, 5], False))
    """
    ended = bool((words == END).any())
    return words[: int(np.argmax(words == END)) if ended else len(words)].tolist(), ended


class RewardTrainer(Trainer):
    """The compiled steps of the second stage; captions are drawn from the very distribution whose gradient is taken."""

    config: RewardConfig

    def __init__(
        self, decoder: Decoder, config: RewardConfig, seed: int, steps_per_epoch: int, rewards: Rewards, dev_scorer: Scorer
    ):
        apply_temperature(decoder, config.temperature)
        super().__init__(decoder, config, seed, steps_per_epoch)
        self.rewards, self.dev_scorer = rewards, dev_scorer
        self.writer = Writer(decoder, config.maximum_words, config.samples)
        spec = [tf.TensorSpec((None, None, decoder.channels), tf.float16), tf.TensorSpec((2,), tf.int32)]
        features, gains = tf.TensorSpec((None, None, decoder.channels)), tf.TensorSpec((None,))
        self._rewarded = by_steps(self._policy_step, [features, PACKED_SIGNATURE, gains])
        self._dropped = tf.function(self._drop_channels, spec, autograph=False)

    def epoch(self, number: int, examples: Examples, dev: Examples, views: Sequence[str], bar: Progress) -> Epoch:
        start, total, done = time.monotonic(), 0.0, 0
        random = np.random.default_rng((self.seed, number))
        for chosen, looked_at in shuffled(examples, self.config.images_per_batch, views, random):
            features = examples.cache.rows([examples.records[image] for image in chosen], looked_at)
            total += finite(self._learn(features, chosen), number) * len(chosen)
            done += len(chosen)
            bar.advance(note=f"epoch {number}, reward {total / done:.3f}")
        with self.averaged():
            losses = [finite(mean_loss(self.losses, part), number) for part in (examples.part(slice(_LOOKED_BACK_AT)), dev)]
            cider = self._dev_cider(dev)
        rate = float(self.optimizer.learning_rate)
        return Epoch(number, *losses, time.monotonic() - start, rate, REWARD, total / done, cider, cores())

    def _learn(self, features: np.ndarray, chosen: np.ndarray) -> float:
        """Draw captions of these photographs, reward them, and make the better ones more probable; gives the mean reward."""
        seed = np.array([self.seed, int(self.optimizer.iterations)], np.int32)
        kept = self._dropped(features, seed)
        captions = [until_end(row) for row in self.writer.drawn(kept, seed)]
        samples = self.config.samples
        rewards = np.array(
            [self.rewards(chosen[row // samples], words + [END] * ended) for row, (words, ended) in enumerate(captions)],
            np.float32,
        )
        packed = pack([[words for words, _ in captions[row : row + samples]] for row in range(0, len(captions), samples)])
        gains = packed.spread(advantages(rewards.reshape(-1, samples)).ravel())
        cut_off = packed.spread(np.array([not ended for _, ended in captions]))
        gains[cut_off & (packed.targets == END)] = 0  # It never chose to end.
        entropy = float(self._rewarded(len(packed.counts))(kept, packed.arrays(), gains))
        return float(rewards.mean()) if math.isfinite(entropy) else math.nan

    def _policy_step(self, features: tf.Tensor, packed: tuple, gains: tf.Tensor, steps: int) -> tf.Tensor:
        """One step towards captions with a gain; gives the mean surprise at a drawn word, in nats."""
        with tf.GradientTape() as tape:
            logits = self.decoder.logits(features, packed, steps) + self.writer.never
            each = cross_entropy(logits, packed[1])  # (words,)
            loss = tf.reduce_mean(gains * each)
        self._move(tape, loss)
        return tf.reduce_mean(each)

    def _drop_channels(self, features: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        """The features that captions are drawn from and learned from alike, some channels of each photograph dropped."""
        features, rate = tf.cast(features, tf.float32), self.config.feature_dropout
        own = stateless_fold_in(seed, self.config.maximum_words)  # Words are drawn with the numbers below it.
        kept = tf.random.stateless_uniform((tf.shape(features)[0], 1, features.shape[-1]), own) >= rate
        return features * tf.cast(kept, tf.float32) / (1 - rate)

    def _dev_cider(self, dev: Examples) -> float:
        """CIDEr of greedy captions, in the way in which decoders are scored."""
        captions = []
        for first in range(0, len(dev.records), _DEV_IMAGES_AT_ONCE):
            features = dev.cache.rows(dev.records[first : first + _DEV_IMAGES_AT_ONCE]).astype(np.float32)
            captions += [[self.rewards.words[word] for word in caption] for caption in self.writer.likeliest(features)]
        return float(np.mean([self.dev_scorer.cider(image, caption) for image, caption in enumerate(captions)]))


def train_by_reward(
    decoder: Decoder, examples: Examples, dev: Examples, vocabulary: Vocabulary, config: RewardConfig, seed: int, **more: Any
) -> TrainingState:
    """As `captioner.training.trainer.train`, for a decoder that has been through the first stage."""
    rewards, dev_scorer = Rewards(examples, vocabulary, config.flaw_penalty), Scorer([record.captions for record in dev.records])

    def make_trainer(*given: Any) -> RewardTrainer:
        return RewardTrainer(*given, rewards, dev_scorer)

    return train(decoder, examples, dev, config, seed, make_trainer=make_trainer, **more)
