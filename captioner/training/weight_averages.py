"""Running averages of the weights, and copies of all variables of a training to keep and to restore."""

from collections.abc import Iterable, Mapping, Sequence

import keras
import numpy as np
import tensorflow as tf

from captioner.errors import TrainingError

Named = Iterable[tuple[str, tf.Variable]]


def move_averages(
    averages: Sequence[tf.Variable], variables: Sequence[keras.Variable], iterations: tf.Variable, averaging: float
) -> None:
    """Move the averages towards the weights, faster at the start, when the weights are still far from good."""
    step = tf.cast(iterations, averages[0].dtype)
    keep = tf.minimum((1 + step) / (10 + step), averaging)
    for variable, average in zip(variables, averages, strict=True):
        average.assign_sub((1 - keep) * (average - variable.value))


class Swapped:
    """A context in which variables have their averaged values."""

    def __init__(self, variables: Sequence[keras.Variable], averages: Sequence[tf.Variable]):
        self.variables, self.averages = variables, averages

    def __enter__(self) -> None:
        self.own = [variable.numpy() for variable in self.variables]
        for variable, average in zip(self.variables, self.averages, strict=True):
            variable.assign(average)

    def __exit__(self, *_error: object) -> None:
        for variable, own in zip(self.variables, self.own, strict=True):
            variable.assign(own)


def values_of(named: Named) -> dict[str, np.ndarray]:
    return {name: np.asarray(variable.numpy()) for name, variable in named}


def restore(named: Named, values: Mapping[str, np.ndarray]) -> None:
    """Assign values by name, as `values_of` returned them."""
    for name, variable in named:
        if name not in values or values[name].shape != tuple(variable.shape):
            raise TrainingError(f"The interrupted run lacks '{name}' as this version needs it; start a new run.")
        variable.assign(values[name])
