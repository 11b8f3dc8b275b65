"""Reads event files back with TensorFlow alone, for the tests of what writes them."""

from collections.abc import Iterator
from pathlib import Path


def points(folder: Path) -> Iterator[tuple[str, int, float]]:
    """Every scalar of a log in the order of writing: its name, its step and its value."""
    import tensorflow as tf

    for path in sorted(folder.iterdir()):
        for record in tf.data.TFRecordDataset(str(path)):
            event = tf.compat.v1.Event.FromString(record.numpy())
            yield from ((value.tag, event.step, value.simple_value) for value in event.summary.value)
