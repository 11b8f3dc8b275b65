"""Brings TensorFlow up quietly, the same way everywhere: threads pinned, and repeatable arithmetic where it is asked for."""

import os
from typing import Any


def cores() -> int:
    """How many of the machine's cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def start_tensorflow(repeatable: bool = False, threads: int | None = None) -> Any:
    """Import TensorFlow; `repeatable` makes equal seeds give bit-equal results on one machine. Safe to call again."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    import tensorflow as tf

    if repeatable:
        tf.config.experimental.enable_op_determinism()
    try:
        tf.config.threading.set_intra_op_parallelism_threads(threads or cores())
    except RuntimeError:
        pass  # TensorFlow has already been used in this process; its threads stay as they are.
    return tf
