"""The exported encoders by name: beside decoders, among those that ship, or exported once into the user's cache."""

from pathlib import Path
from typing import Any

import numpy as np

from captioner.config import ADAPTED, LITE2, SHIPPED
from captioner.data.images import read, resize
from captioner.data.samples import SAMPLES
from captioner.errors import EncoderError
from captioner.storage import exists, read_as, save_folder
from captioner.vision.encoder import FACTS, Encoder, Facts
from captioner.vision.feature_cache import default_folder
from captioner.vision.keras_applications import APPLICATIONS
from captioner.vision.keras_networks import adapted_fingerprint, build, find_encoder, lite2_fingerprint, read_adapted

SHIPPED_ENCODER = SHIPPED / "encoder"


def load_encoder(name: str = ADAPTED, weights: str | Path | None = None, near: Path | None = None) -> Encoder:
    """An encoder by name; `weights` is a file for a network of `keras.applications`.

    `near` is the folder of its decoders: an encoder lies beside them or their stage's folder. One that was never exported is
    exported now, which takes TensorFlow and half a minute.
    """
    name = find_encoder(name)
    if weights and name not in APPLICATIONS:
        raise EncoderError(f"The encoder {name} comes with its weights; omit the file, or name the encoder that it belongs to.")
    folder = find_folder(name, near)
    return Encoder.load(folder if folder and (folder / FACTS).is_file() else _in_cache(name, weights, folder))


def find_folder(name: str, near: Path | None = None) -> Path | None:
    """The folder of the encoder of this name: beside the decoders, else the one that ships."""
    places = [near / "encoder", near.parent / "encoder"] if near else []
    return next((place for place in [*places, SHIPPED_ENCODER] if exists(place) and _name(place) == name), None)


def fingerprints(folder: Path) -> tuple[str, ...]:
    """What decoders may record as their encoder for the one in this folder, exported or not."""
    if not (folder / FACTS).is_file():
        return (adapted_fingerprint(read_adapted(folder)),)
    facts = read_as(folder / FACTS, Facts)
    return facts.fingerprint, facts.weights


def keep_beside(encoder: Encoder, folder: Path) -> None:
    """Write the encoder beside the decoders of a run, unless it is there or ships: captions then need no TensorFlow."""
    if find_folder(encoder.name, folder) is None:
        save_folder(Path(folder) / "encoder", encoder.files())


def samples(size: int) -> np.ndarray:
    """The sample photographs as an encoder takes them."""
    return np.stack([resize(read(sample.read(), sample.file), size) for sample in SAMPLES])


def _name(folder: Path) -> str:
    """The name of the encoder in a folder; one that was never exported is fine-tuned."""
    return str(read_as(folder / FACTS, dict[str, Any]).get("name")) if (folder / FACTS).is_file() else ADAPTED


def _in_cache(name: str, weights: str | Path | None, adapted: Path | None) -> Path:
    """The folder of an encoder in the user's cache; exported into it now if it is not there."""
    network = None if name == LITE2 else build(name, weights, adapted)
    folder = default_folder() / "encoders" / f"{name}-{network.fingerprint if network else lite2_fingerprint()}"
    if not exists(folder):
        from captioner.vision.encoder_export import export

        network = network or build(name)
        save_folder(folder, export(network, samples(network.size)).files())
    return folder
