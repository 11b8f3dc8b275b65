"""Running averages against NumPy, and state that is taken away and given back."""

import numpy as np
import pytest

from captioner.errors import TrainingError
from captioner.runtime import start_tensorflow


@pytest.fixture(scope="module")
def tf():
    return start_tensorflow()


def weight(values):
    import keras

    return keras.Variable(np.array(values, np.float32), name="weight")


def test_averages_move_slowly_once_they_have_begun(tf):
    """At step n they keep (1 + n) / (10 + n) of what they were, and never more than they are told to."""
    from captioner.training.weight_averages import move_averages

    variable, average, expected = weight([1.0, -2.0]), tf.Variable([0.0, 4.0]), np.array([0.0, 4.0])
    for step in (0, 1, 5, 1000):
        move_averages([average], [variable], tf.Variable(step, dtype=tf.int64), 0.9)
        keep = min(0.9, (1 + step) / (10 + step))
        expected = keep * expected + (1 - keep) * np.array([1.0, -2.0])
        assert average.numpy() == pytest.approx(expected, abs=1e-6)


def test_a_decoder_has_its_averages_for_a_while(tf):
    from captioner.training.weight_averages import Swapped

    variable, average = weight([1.0]), tf.Variable([3.0])
    with pytest.raises(KeyError), Swapped([variable], [average]):
        assert variable.numpy() == [3.0]
        raise KeyError
    assert variable.numpy() == [1.0] and average.numpy() == [3.0]


def test_what_was_taken_away_is_given_back(tf):
    from captioner.training.weight_averages import restore, values_of

    one, two = tf.Variable([1.0, 2.0]), tf.Variable(7, dtype=tf.int64)
    taken = values_of([("one", one), ("two", two)])
    one.assign([0.0, 0.0])
    two.assign(0)
    restore([("one", one), ("two", two)], taken)
    assert one.numpy().tolist() == [1.0, 2.0] and two.numpy() == 7
    for wrong in ({"one": taken["one"]}, taken | {"two": np.zeros(2)}):
        with pytest.raises(TrainingError, match="lacks 'two'"):
            restore([("one", one), ("two", two)], wrong)
