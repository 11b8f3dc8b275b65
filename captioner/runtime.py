"""Brings TensorFlow up quietly, the same way everywhere: threads pinned, and repeatable arithmetic where it is asked for."""

import ctypes
import os
import sys
import tempfile
import threading
from contextlib import suppress
from typing import Any

_IMPORTING = threading.Lock()  # Two that change where standard error goes would lose it.
_ARENAS, _HEAPS = -8, 2  # M_ARENA_MAX, as the C library of Linux numbers it
_TALK = (b"I0000 ", b"WARNING: All log messages before absl")


def cores() -> int:
    """How many of the machine's cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def is_alive(process: int) -> bool:
    """Whether there is a process of this number on this machine."""
    if os.name != "posix":  # Elsewhere the question would end the process.
        return True
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except OSError:  # Somebody else's.
        pass
    return True


def few_heaps() -> None:
    """For a server: where each of many threads has a heap of its own, each holds on to the most that it ever needed.

    Only the usual C library of Linux does that, and only it is told.
    """
    if sys.platform == "linux":
        with suppress(OSError, AttributeError):
            ctypes.CDLL(None).mallopt(_ARENAS, _HEAPS)


def release_memory() -> None:
    """What is free goes back to the system, where the C library can be asked for that."""
    if sys.platform == "linux":
        with suppress(OSError, AttributeError):
            ctypes.CDLL(None).malloc_trim(0)


def start_tensorflow(repeatable: bool = False, threads: int | None = None) -> Any:
    """Import TensorFlow; `repeatable` makes equal seeds give bit-equal results on one machine. Safe to call again."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    tf = _imported()
    if repeatable:
        tf.config.experimental.enable_op_determinism()
    try:
        if repeatable:  # What repeats on a CPU may not on a GPU, and some of it has no such form there.
            tf.config.set_visible_devices([], "GPU")
        tf.config.threading.set_intra_op_parallelism_threads(threads or cores())
    except RuntimeError:
        pass  # TensorFlow has already been used in this process; its threads stay as they are.
    return tf


def _imported() -> Any:
    """TensorFlow talks on standard error before it has heard of its log level; what others say there meanwhile is passed on."""
    with _IMPORTING:
        if "tensorflow" in sys.modules or sys.stderr is None:
            import tensorflow

            return tensorflow
        return _imported_quietly()


def _imported_quietly() -> Any:
    sys.stderr.flush()
    own, talk = os.dup(2), _TALK
    with tempfile.TemporaryFile() as said:
        os.dup2(said.fileno(), 2)
        try:
            import keras  # noqa: F401  # It loads what would talk a second time.
            import tensorflow

            return tensorflow
        except BaseException:
            talk = ()
            raise
        finally:
            os.dup2(own, 2)
            said.seek(0)
            os.write(own, b"".join(line for line in said if not line.startswith(talk)))
            os.close(own)
