"""The decoder taken apart against the decoder's own step and the step over arrays, and every number against its formula."""

import numpy as np
import pytest

from captioner.captioning.numpy_decoder import QuickDecoder
from captioner.figures.decoder.decoding_step import NEVER_WRITTEN, Anatomy, largest, sigmoid, softmax
from captioner.vocabulary import END, START, UNKNOWN
from support.fakes import SHAPES, StubEncoder, small_checkpoint


@pytest.fixture(scope="module")
def features():
    return np.random.default_rng(7).normal(size=(StubEncoder.regions, StubEncoder.channels)).astype(np.float32)


@pytest.mark.parametrize("shape", SHAPES)
def test_the_same_as_both_other_steps(features, shape):
    checkpoint = small_checkpoint(**shape)
    decoder, anatomy = checkpoint.build(), Anatomy(checkpoint, features)
    gates = decoder.gates_of_words().numpy()
    quick = QuickDecoder(decoder)
    (grid, given), (seen, arrays) = decoder.start(features[None]), quick.start(features[None])
    state = anatomy.first_state()
    for word in (START, 4, 6, 8, 11):
        found = anatomy.step(word, state)
        logs, given, attention = decoder.step(grid, given, gates[[word]])
        fast, arrays, _ = quick.step(seen, arrays, np.array([word]))
        np.testing.assert_allclose(found.log_probabilities, logs.numpy()[0], atol=1e-5)
        np.testing.assert_allclose(found.log_probabilities, fast[0], atol=1e-5)
        state = tuple((cell.said, cell.memory) for cell in found.cells)
        flat = np.concatenate([part for pair in state for part in pair])
        np.testing.assert_allclose(flat, np.concatenate(arrays, axis=1)[0], atol=1e-5)
        assert (found.look is None) == (attention is None) and (found.added is None) == (shape["image_entry"] != "merge")
        assert (found.hidden is None) == (shape.get("hidden_units", 5) == 0)
        if found.look is not None:
            np.testing.assert_allclose(found.look.weights, attention.numpy()[0], atol=1e-5)


def test_the_numbers_fit_each_other_as_the_formulas_say(features):
    step = Anatomy(small_checkpoint(), features).caption()[1]
    cell = step.cells[0]
    np.testing.assert_allclose(cell.memory, cell.keep * cell.memory_before + cell.enter * cell.candidate)
    np.testing.assert_allclose(cell.said, cell.leave * np.tanh(cell.memory))
    for gate in (cell.enter, cell.keep, cell.leave):
        assert ((gate > 0) & (gate < 1)).all()
    np.testing.assert_allclose(step.look.heads.sum(axis=1), 1)
    np.testing.assert_allclose(step.look.heads.mean(axis=0), step.look.weights)
    exponentials = np.exp(step.scores)
    np.testing.assert_allclose(np.exp(step.log_probabilities), exponentials / exponentials.sum())
    assert (step.hidden >= 0).all()


def test_a_caption_goes_word_by_word_to_its_end(features):
    checkpoint = small_checkpoint()
    checkpoint.weights["words/bias"][:] = 0
    checkpoint.weights["words/bias"][END] = 1
    steps = Anatomy(checkpoint, features).caption(9)
    assert steps[0].word == START and 2 <= len(steps) <= 9
    for one, other in zip(steps, steps[1:], strict=False):
        assert other.word == one.chosen != END
        np.testing.assert_array_equal(other.cells[0].said_before, one.cells[0].said)
    assert len(steps) == 9 or steps[-1].chosen == END


def test_the_longest_caption_ends_without_an_end(features):
    checkpoint = small_checkpoint()
    checkpoint.weights["words/bias"][END] = -60
    steps = Anatomy(checkpoint, features).caption(4)
    assert len(steps) == 4 and END not in [step.chosen for step in steps]


def test_a_word_that_is_never_written_may_be_the_likeliest_and_is_not_chosen(features):
    checkpoint = small_checkpoint()
    checkpoint.weights["words/bias"][UNKNOWN] = 60
    step = Anatomy(checkpoint, features).caption()[0]
    first, second = step.likeliest(2)
    assert first == UNKNOWN and step.chosen == second and step.chosen not in NEVER_WRITTEN


def test_the_functions_by_hand():
    np.testing.assert_allclose(sigmoid(np.array([0.0, np.log(3)])), [0.5, 0.75])
    np.testing.assert_allclose(softmax(np.log([1.0, 2.0, 5.0])), [0.125, 0.25, 0.625])
    np.testing.assert_allclose(softmax(np.array([1000.0, 1000.0])), [0.5, 0.5])
    assert largest(np.array([0.1, 0.2, 0.1, 0.5, 0.05, 0.05]), 3) == (2, 1)
