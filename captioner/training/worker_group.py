"""Several processes, each perhaps on a machine of its own, that train one decoder together: who they are, how they add up.

Who takes part is told by the ordinary `TF_CONFIG`. What they compute is left to `captioner.training.distributed_trainer`; here they only
add up numbers, hear what the first of them found, and make sure that they mean the same. The first one alone writes.
"""

import hashlib
import json
import os
import signal
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from captioner.errors import ConfigError, TrainingError, TriptychError
from captioner.runtime import start_tensorflow

if TYPE_CHECKING:
    import numpy as np
    import tensorflow as tf

Value = TypeVar("Value")

VARIABLE = "TF_CONFIG"
EXAMPLE = '{"cluster": {"worker": ["10.0.0.1:2222", "10.0.0.2:2222"]}, "task": {"type": "worker", "index": 0}}'
_TAKING_PART = ("chief", "worker")  # In this order: where there is a chief, it is the first.
_FOUND, _REFUSED = b"+", b"-"


@dataclass(frozen=True)
class Place:
    """Which of the processes at these addresses this one is, counted from 0."""

    number: int
    addresses: tuple[str, ...]


def find_place(environment: Mapping[str, str] = os.environ) -> Place | None:
    """This process's place among several, as `TF_CONFIG` has it; none where it works alone."""
    text = environment.get(VARIABLE, "").strip()
    if text in ("", "{}"):
        return None
    try:
        place = _read(json.loads(text))
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise ConfigError(f"{VARIABLE} must be JSON such as {EXAMPLE}, with an index of its own for every process.") from error
    return place if len(place.addresses) > 1 else None


def _read(config: Any) -> Place:
    hosts = {kind: tuple(config["cluster"].get(kind, ())) for kind in _TAKING_PART}
    if set(config["cluster"]) - set(_TAKING_PART) or not all(map(_is_address, sum(hosts.values(), ()))):
        raise ValueError("an address is a name, a colon and a port, and takes part as chief or worker")
    kind, index = config["task"]["type"], config["task"]["index"]
    if type(index) is not int or not 0 <= index < len(hosts[kind]):
        raise ValueError("there is no such task")
    addresses = sum(hosts.values(), ())
    if len(set(addresses)) < len(addresses):
        raise ValueError("two processes have one address")
    return Place(index + (len(hosts["chief"]) if kind == "worker" else 0), addresses)


def _is_address(text: Any) -> bool:
    host, _, port = text.rpartition(":")
    return bool(host) and port.isdecimal() and 0 < int(port) < 65536


def refuse_several(work: str, environment: Mapping[str, str] = os.environ) -> None:
    """For work that one process does alone."""
    if find_place(environment):
        raise ConfigError(f"{work} is the work of one process, not of several; take {VARIABLE} out of the environment.")


@dataclass(frozen=True)
class Shard:
    """What one of several processes does of all that there is to do: every such and such, counted from its number."""

    number: int = 0
    count: int = 1

    @property
    def own(self) -> slice:
        return slice(self.number, None, self.count)


class SingleWorker:
    """A process that works by itself: the first and the only one."""

    shard = Shard()

    @property
    def first(self) -> bool:
        return self.shard.number == 0

    @property
    def several(self) -> bool:
        return self.shard.count > 1

    def sum(self, values: "tf.Tensor") -> "tf.Tensor":
        """Vectors of equal length, one of each process, added up; all get the same bits."""
        return values

    def share(self, find: Callable[[], Value], pack: Callable[[Value], bytes], unpack: Callable[[bytes], Value]) -> Value:
        """What the first process finds, in all of them; where it finds an error of ours, that is raised in all of them."""
        return find()

    def unlike(self, mark: str) -> list[int]:
        """The processes whose mark is another than that of the first."""
        return []

    def agree(self, mark: str, what: str) -> None:
        """Go on only if all have the same mark."""
        if unlike := self.unlike(mark):
            raise TrainingError(
                f"Worker {unlike[0]} of {self.shard.count} has other {what} than worker 0; start all of them with the same "
                "command, the same files and the same version of the program."
            )

    def wait(self) -> None:
        """Until all are here."""
        self.unlike("")


def join() -> SingleWorker:
    """This process among those of `TF_CONFIG`, once all of them have been started; must come before anything is computed."""
    place = find_place()
    return WorkerGroup(place) if place else SingleWorker()


class WorkerGroup(SingleWorker):
    """One of several processes; whatever they do together, all of them must do in the same order."""

    def __init__(self, place: Place):
        self.shard = Shard(place.number, len(place.addresses))
        tf = start_tensorflow(repeatable=True)
        import keras

        ring = tf.distribute.experimental.CommunicationImplementation.RING
        options = tf.distribute.experimental.CommunicationOptions(implementation=ring)
        try:
            with _interruptible():
                self._strategy = tf.distribute.MultiWorkerMirroredStrategy(communication_options=options)
        except (tf.errors.OpError, RuntimeError) as error:
            raise TrainingError(
                f"Worker {place.number} could not join the {self.shard.count} of {VARIABLE}; see that its address "
                f"{place.addresses[place.number]} is this machine's, that no other program has its port, and that the "
                "addresses are the same everywhere."
            ) from error
        self._summed = {kind: self._summing(kind) for kind in (tf.as_dtype(keras.config.floatx()), tf.int32)}

    def sum(self, values: "tf.Tensor") -> "tf.Tensor":
        with self._answering():
            return self._summed[values.dtype](values)

    def _summing(self, kind: "tf.DType") -> Callable[["tf.Tensor"], "tf.Tensor"]:
        """Compiled at once, and apart from everything else: TensorFlow tells sums apart by the order of their compiling."""
        import tensorflow as tf

        def added(values: tf.Tensor) -> tf.Tensor:
            return tf.distribute.get_replica_context().all_reduce(tf.distribute.ReduceOp.SUM, tf.identity(values))

        compiled = tf.function(lambda values: self._strategy.run(added, (values,)), autograph=False)
        return compiled.get_concrete_function(tf.TensorSpec((None,), kind))

    @contextmanager
    def _answering(self) -> Iterator[None]:
        """A process that ends, loses its network or hangs is noticed by the others within seconds, by TensorFlow's heartbeat."""
        import tensorflow as tf

        try:
            yield
        except tf.errors.InvalidArgumentError:
            raise
        except tf.errors.OpError as error:
            raise TrainingError(
                f"One of the {self.shard.count} workers no longer answers; start all of them again, with --resume, and they go on "
                "after the last finished epoch."
            ) from error

    def _numbers(self, own: "np.ndarray") -> "np.ndarray":
        import tensorflow as tf

        return self.sum(tf.constant(own)).numpy()

    def share(self, find: Callable[[], Value], pack: Callable[[Value], bytes], unpack: Callable[[bytes], Value]) -> Value:
        if not self.first:
            return self._hear(unpack)
        try:
            found = find()
        except TriptychError as error:
            self._spread(_REFUSED + str(error).encode())
            raise
        self._spread(_FOUND + pack(found))
        return found

    def _hear(self, unpack: Callable[[bytes], Value]) -> Value:
        said = self._spread(b"")
        if said.startswith(_REFUSED):
            raise TrainingError(said[1:].decode())
        return unpack(said[1:])

    def _spread(self, data: bytes) -> bytes:
        """The bytes of the first process, in all: every other one adds zeros to them."""
        import numpy as np

        length = int(self._numbers(np.full(1, len(data), np.int32))[0])
        padded = np.zeros(-(-length // 4) * 4, np.uint8)
        padded[: len(data)] = np.frombuffer(data, np.uint8)
        return self._numbers(padded.view(np.int32)).tobytes()[:length]

    def wait(self) -> None:
        with _interruptible():
            super().wait()

    def unlike(self, mark: str) -> list[int]:
        import numpy as np

        own = np.zeros(self.shard.count, np.int32)
        own[self.shard.number] = int.from_bytes(hashlib.sha256(mark.encode()).digest()[:3], "big")
        marks = self._numbers(own)
        return [number for number, other in enumerate(marks) if other != marks[0]]


@contextmanager
def _interruptible() -> Iterator[None]:
    """Within it an interruption ends the process at once: where TensorFlow waits for others, Python would not hear of it.

    After it a plain `kill` ends the process as ever: TensorFlow, where it joins others, would only take note of one.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) or signal.SIG_DFL for number in (signal.SIGINT, signal.SIGTERM)}
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
