"""The exported encoders by name: beside decoders, among those that ship, or exported once into the user's cache."""

import os
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from captioner.config import ADAPTED, SHIPPED
from captioner.data.images import read, resize
from captioner.data.samples import SAMPLES
from captioner.errors import CheckpointError, EncoderError
from captioner.storage import exists, read_as, remove_folder, save_folder
from captioner.vision.encoder import FACTS, NETWORK, Encoder, Facts
from captioner.vision.feature_cache import default_folder
from captioner.vision.keras_applications import APPLICATIONS
from captioner.vision.keras_networks import adapted_fingerprint, build, find_encoder, lite2_fingerprint, read_adapted

SHIPPED_ENCODER = SHIPPED / "encoder"


def load_encoder(name: str = ADAPTED, weights: str | Path | None = None, near: Path | None = None) -> Encoder:
    """An encoder by name; `weights` is a file for a network of `keras.applications`.

    `near` is the folder of its decoders: an encoder lies beside them or their stage's folder. One that was never exported is
    exported into the user's cache, which takes TensorFlow and half a minute.
    """
    name = find_encoder(name)
    if weights and name not in APPLICATIONS:
        raise EncoderError(f"The encoder {name} comes with its weights; omit the file, or name the encoder that it belongs to.")
    folder = None if weights else find_folder(name, near)
    return Encoder.load(folder) if folder and _is_exported(folder) else _cached(name, weights, folder)


def find_folder(name: str, near: Path | None = None) -> Path | None:
    """The folder of the encoder of this name: beside the decoders, else the one that ships."""
    places = [near / "encoder", near.parent / "encoder"] if near else []
    return next((place for place in [*places, SHIPPED_ENCODER] if exists(place) and _name(place) == name), None)


def fingerprint_in(folder: Path) -> str:
    """The fingerprint of the encoder in a folder, exported or not."""
    if not _is_exported(folder):
        return adapted_fingerprint(read_adapted(folder))
    return read_as(folder / FACTS, Facts).fingerprint


def keep_beside(encoder: Encoder, folder: Path) -> None:
    """Write the encoder beside the decoders of a run, unless it is there or ships: captions then need no TensorFlow."""
    if find_folder(encoder.name, folder) is None:
        save_folder(Path(folder) / "encoder", encoder.files())


def samples(size: int) -> np.ndarray:
    """The sample photographs as an encoder takes them."""
    return np.stack([resize(read(sample.read(), sample.file), size) for sample in SAMPLES])


def _is_exported(folder: Path) -> bool:
    return any((folder / name).is_file() for name in (NETWORK, FACTS))


def _name(folder: Path) -> str:
    """The name of the encoder in a folder; one that was never exported is fine-tuned."""
    return str(read_as(folder / FACTS, dict[str, Any]).get("name")) if _is_exported(folder) else ADAPTED


def _cached(name: str, weights: str | Path | None, adapted: Path | None) -> Encoder:
    """An encoder from the user's cache; if it is not there, it is exported now."""
    network = build(name, weights) if name in APPLICATIONS else None
    known = network.fingerprint if network else fingerprint_in(adapted) if adapted else lite2_fingerprint()
    folder = default_folder() / "encoders" / f"{name}-{known}"
    if exists(folder):
        with suppress(CheckpointError):  # A damaged one is exported again.
            return Encoder.load(folder)
    from captioner.vision.encoder_export import export

    network = network or build(name, adapted=adapted)
    encoder = export(network, samples(network.size))
    with suppress(CheckpointError):  # A cache that cannot be written costs only time.
        _keep(encoder, folder)
    return encoder


def _keep(encoder: Encoder, folder: Path) -> None:
    """Write an encoder into the cache; another process may be doing the same."""
    own = folder.with_name(f".{folder.name}.{os.getpid()}")
    save_folder(own, encoder.files())
    remove_folder(folder)
    try:
        own.replace(folder)
    except OSError:  # The other process was faster.
        remove_folder(own)
