"""Communication between the processes that train one decoder together, named by the ordinary `TF_CONFIG`.

They sum vectors, share what the first process found, and check that they agree; only the first process writes files. What
they compute is left to `captioner.training.distributed_trainer`.
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
_ROLES = ("chief", "worker")  # in this order: a chief is the first process
_FOUND, _REFUSED = b"+", b"-"


@dataclass(frozen=True)
class Place:
    """The number of this process, from 0, and the addresses of all."""

    number: int
    addresses: tuple[str, ...]


def find_place(environment: Mapping[str, str] = os.environ) -> Place | None:
    """This process's place according to `TF_CONFIG`, or None if it works alone."""
    text = environment.get(VARIABLE, "").strip()
    if text in ("", "{}"):
        return None
    try:
        place = _read(json.loads(text))
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise ConfigError(f"{VARIABLE} must be JSON such as {EXAMPLE}, with a different index for every process.") from error
    return place if len(place.addresses) > 1 else None


def _read(config: Any) -> Place:
    hosts = {kind: tuple(config["cluster"].get(kind, ())) for kind in _ROLES}
    if set(config["cluster"]) - set(_ROLES) or not all(map(_is_address, sum(hosts.values(), ()))):
        raise ValueError("an address is a name, a colon and a port, of a chief or worker")
    kind, index = config["task"]["type"], config["task"]["index"]
    if type(index) is not int or not 0 <= index < len(hosts[kind]):
        raise ValueError("there is no such task")
    addresses = sum(hosts.values(), ())
    if len(set(addresses)) < len(addresses):
        raise ValueError("two processes have the same address")
    return Place(index + (len(hosts["chief"]) if kind == "worker" else 0), addresses)


def _is_address(text: Any) -> bool:
    host, _, port = text.rpartition(":")
    return bool(host) and port.isdecimal() and 0 < int(port) < 65536


def refuse_several(work: str) -> None:
    if find_place():
        raise ConfigError(f"{work} runs in a single process; remove {VARIABLE} from the environment.")


@dataclass(frozen=True)
class Shard:
    """This worker's shard: every `count`-th item from `number`."""

    number: int = 0
    count: int = 1

    @property
    def own(self) -> slice:
        return slice(self.number, None, self.count)


class SingleWorker:
    """The only process of a training; `WorkerGroup` has the same interface."""

    shard = Shard()

    @property
    def first(self) -> bool:
        return self.shard.number == 0

    @property
    def several(self) -> bool:
        return self.shard.count > 1

    def sum(self, values: "tf.Tensor") -> "tf.Tensor":
        """The sum of the vectors of all processes; all get the same bits."""
        return values

    def share(self, find: Callable[[], Value], pack: Callable[[Value], bytes], unpack: Callable[[bytes], Value]) -> Value:
        """The first process's result, in all processes; if it raises one of our errors, all raise it."""
        return find()

    def unlike(self, mark: str) -> list[int]:
        """The numbers of the processes whose mark differs from the first's."""
        return []

    def agree(self, mark: str, what: str) -> None:
        """Raise an error unless all have the same mark."""
        if unlike := self.unlike(mark):
            raise TrainingError(
                f"Worker {unlike[0]} of {self.shard.count} has other {what} than worker 0; start all workers with the same "
                "command, files and version of the program."
            )

    def wait(self) -> None:
        """Wait until all processes get here."""
        self.unlike("")


def join() -> SingleWorker:
    """Join the processes of `TF_CONFIG` as soon as all have started; call it before computing anything."""
    place = find_place()
    return WorkerGroup(place) if place else SingleWorker()


class WorkerGroup(SingleWorker):
    """One of several processes; all must call the same methods in the same order."""

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
                f"Worker {place.number} could not join the {self.shard.count} of {VARIABLE}; check that its address "
                f"{place.addresses[place.number]} is this machine's, that no other program uses its port, and that all "
                "workers have the same addresses."
            ) from error
        self._summed = {kind: self._summing(kind) for kind in (tf.as_dtype(keras.config.floatx()), tf.int32)}

    def sum(self, values: "tf.Tensor") -> "tf.Tensor":
        with self._answering():
            return self._summed[values.dtype](values)

    def _summing(self, kind: "tf.DType") -> Callable[["tf.Tensor"], "tf.Tensor"]:
        """Compile in the constructor: TensorFlow matches sums of different workers by the order of compilation."""
        import tensorflow as tf

        def added(values: tf.Tensor) -> tf.Tensor:
            return tf.distribute.get_replica_context().all_reduce(tf.distribute.ReduceOp.SUM, tf.identity(values))

        compiled = tf.function(lambda values: self._strategy.run(added, (values,)), autograph=False)
        return compiled.get_concrete_function(tf.TensorSpec((None,), kind))

    @contextmanager
    def _answering(self) -> Iterator[None]:
        """TensorFlow's heartbeat notices within seconds when a process ends, hangs or loses its network."""
        import tensorflow as tf

        try:
            yield
        except tf.errors.InvalidArgumentError:
            raise
        except tf.errors.OpError as error:
            raise TrainingError(
                f"One of the {self.shard.count} workers no longer answers; restart all of them with --resume to continue after "
                "the last completed epoch."
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
        """The first process's bytes, in all processes: the others add zeros."""
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
    """A context in which Ctrl+C ends the process at once; Python's own handler does not run while TensorFlow waits.

    Afterwards SIGTERM ends the process again: TensorFlow replaces its handler when it joins others.
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
