"""The process and its machine: cores, memory, and a quiet start of TensorFlow with fixed threads, repeatable on request."""

import ctypes
import os
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

_QUIET = threading.RLock()  # Two threads that redirect standard error would lose it.
_ARENAS, _HEAPS = -8, 2  # M_ARENA_MAX in the GNU C library
_NOISE = (b"I0000 ", b"WARNING: All log messages before absl")


def cores() -> int:
    """The number of cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def is_alive(process: int) -> bool:
    """Whether a process with this id exists on this machine."""
    if os.name != "posix":  # Elsewhere signal 0 would end the process.
        return True
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except OSError:  # another user's
        pass
    return True


def few_heaps() -> None:
    """Limit the heaps of a server's many threads, each of which would keep the most memory that it ever needed.

    Only the GNU C library of Linux has a heap per thread.
    """
    if sys.platform == "linux":
        with suppress(OSError, AttributeError):
            ctypes.CDLL(None).mallopt(_ARENAS, _HEAPS)


def release_memory() -> None:
    """Return free memory to the system, where the C library supports it."""
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
        if repeatable:  # Some operations are not repeatable on a GPU.
            tf.config.set_visible_devices([], "GPU")
        tf.config.threading.set_intra_op_parallelism_threads(threads or cores())
    except RuntimeError:
        pass  # TensorFlow has already been used in this process; its threads stay as they are.
    return tf


def _imported() -> Any:
    """Drop TensorFlow's messages from before it reads its log level."""
    with quiet_stderr(*([] if "tensorflow" in sys.modules else _NOISE)):
        import keras  # noqa: F401  # It loads libraries that would print again.
        import tensorflow

        return tensorflow


@contextmanager
def quiet_stderr(*noise: bytes) -> Iterator[None]:
    """Drop a native library's lines on standard error that start with `noise`, unless the block fails; pass on all others."""
    if not noise or sys.stderr is None:
        yield
        return
    with _QUIET, tempfile.TemporaryFile() as output:
        sys.stderr.flush()
        own, dropped = os.dup(2), noise
        os.dup2(output.fileno(), 2)
        try:
            yield
        except BaseException:
            dropped = ()
            raise
        finally:
            os.dup2(own, 2)
            output.seek(0)
            os.write(own, b"".join(line for line in output if not line.startswith(dropped)))
            os.close(own)
