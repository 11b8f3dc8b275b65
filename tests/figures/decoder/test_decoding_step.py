"""The steps of a caption against a decoder written from the formulas, and every number against its formula."""

import numpy as np
import pytest

from captioner.captioning.beam_search import FORBIDDEN
from captioner.captioning.numpy_decoder import NumpyDecoder
from captioner.figures.decoder.decoding_step import greedy_steps, largest
from captioner.vocabulary import END, START, UNKNOWN
from support.fakes import SHAPES, StubEncoder, small_checkpoint
from support.plain_decoder import PlainDecoder, log_softmax


@pytest.fixture(scope="module")
def features():
    return np.random.default_rng(7).normal(size=(StubEncoder.regions, StubEncoder.channels)).astype(np.float32)


def steps_of(checkpoint, features, maximum_words=9):
    return greedy_steps(NumpyDecoder.of(checkpoint), features, maximum_words)


@pytest.mark.parametrize("shape", SHAPES)
def test_the_same_as_a_decoder_written_from_the_formulas(features, shape):
    checkpoint = small_checkpoint(**shape)
    config, plain = checkpoint.preset.decoder, PlainDecoder(checkpoint.preset.decoder, checkpoint.arrays(), features)
    for found in steps_of(checkpoint, features, 5):
        scores, attention = plain.step(found.word)
        np.testing.assert_allclose(found.scores, scores, atol=2e-5)
        known = found.log_probabilities[: len(scores)]  # What follows belongs to word slots, which are empty here.
        np.testing.assert_allclose(known, log_softmax(scores), atol=2e-5)
        np.testing.assert_array_equal(found.vector, checkpoint.table.vectors[found.word])
        for cell, output, memory in zip(found.cells, plain.hidden, plain.memory, strict=True):
            np.testing.assert_allclose(cell.output, output, atol=1e-5)
            np.testing.assert_allclose(cell.memory, memory, atol=1e-5)
        assert (found.look is None) == (attention is None) and (found.added is None) == (config.image_entry != "merge")
        assert (found.hidden is None) == (config.hidden_units == 0)
        if attention is not None:
            np.testing.assert_allclose(found.attention, attention, atol=1e-5)


def test_the_numbers_fit_each_other_as_the_formulas_say(features):
    step = steps_of(small_checkpoint(), features)[1]
    cell, memory_before = step.cells[0], step.before[1]
    np.testing.assert_allclose(cell.memory, cell.forget_gate * memory_before + cell.input_gate * cell.candidate, atol=1e-6)
    np.testing.assert_allclose(cell.output, cell.output_gate * np.tanh(cell.memory), atol=1e-6)
    for gate in (cell.input_gate, cell.forget_gate, cell.output_gate):
        assert ((gate > 0) & (gate < 1)).all()
    np.testing.assert_allclose(step.look.weights.sum(axis=1), 1, atol=1e-6)
    np.testing.assert_allclose(step.look.weights.mean(axis=0), step.attention, atol=1e-6)
    exponentials = np.exp(step.scores)
    np.testing.assert_allclose(np.exp(step.log_probabilities), exponentials / exponentials.sum(), atol=1e-6)
    assert (step.hidden >= 0).all()


def test_a_caption_goes_word_by_word_to_its_end(features):
    checkpoint = small_checkpoint()
    checkpoint.weights["words/bias"][:] = 0
    checkpoint.weights["words/bias"][END] = 1
    steps = steps_of(checkpoint, features)
    assert steps[0].word == START and 2 <= len(steps) <= 9
    for one, other in zip(steps, steps[1:], strict=False):
        assert other.word == one.chosen != END
        np.testing.assert_array_equal(other.before[0], one.cells[0].output)
    assert len(steps) == 9 or steps[-1].chosen == END


def test_the_longest_caption_ends_without_an_end(features):
    checkpoint = small_checkpoint()
    checkpoint.weights["words/bias"][END] = -60
    steps = steps_of(checkpoint, features, 4)
    assert len(steps) == 4 and END not in [step.chosen for step in steps]


def test_a_word_that_is_never_written_may_be_the_likeliest_and_is_not_chosen(features):
    checkpoint = small_checkpoint()
    checkpoint.weights["words/bias"][UNKNOWN] = 60
    step = steps_of(checkpoint, features)[0]
    first, second = step.likeliest(2)
    assert first == UNKNOWN and step.chosen == second and step.chosen not in FORBIDDEN


def test_the_largest_weight_is_found_by_row_and_column():
    assert largest(np.array([0.1, 0.2, 0.1, 0.5, 0.05, 0.05]), 3) == (2, 1)
