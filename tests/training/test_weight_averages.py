"""Running averages against NumPy, and variables that are saved and restored."""

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


def test_averages_move_fast_at_the_start(tf):
    """At step n they keep (1 + n) / (10 + n) of their value, at most `averaging`."""
    from captioner.training.weight_averages import move_averages

    variable, average, expected = weight([1.0, -2.0]), tf.Variable([0.0, 4.0]), np.array([0.0, 4.0])
    for step in (0, 1, 5, 1000):
        move_averages([average], [variable], tf.Variable(step, dtype=tf.int64), 0.9)
        keep = min(0.9, (1 + step) / (10 + step))
        expected = keep * expected + (1 - keep) * np.array([1.0, -2.0])
        assert average.numpy() == pytest.approx(expected, abs=1e-6)


def test_swapped_averages_are_swapped_back(tf):
    from captioner.training.weight_averages import Swapped

    variable, average = weight([1.0]), tf.Variable([3.0])
    with pytest.raises(KeyError), Swapped([variable], [average]):
        assert variable.numpy() == [3.0]
        raise KeyError
    assert variable.numpy() == [1.0] and average.numpy() == [3.0]


def test_variables_are_restored_by_name_and_shape(tf):
    from captioner.training.weight_averages import restore, values_of

    one, two = tf.Variable([1.0, 2.0]), tf.Variable(7, dtype=tf.int64)
    saved = values_of([("one", one), ("two", two)])
    one.assign([0.0, 0.0])
    two.assign(0)
    restore([("one", one), ("two", two)], saved)
    assert one.numpy().tolist() == [1.0, 2.0] and two.numpy() == 7
    for wrong in ({"one": saved["one"]}, saved | {"two": np.zeros(2)}):
        with pytest.raises(TrainingError, match="lacks 'two'"):
            restore([("one", one), ("two", two)], wrong)
