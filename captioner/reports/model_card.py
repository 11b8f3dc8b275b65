"""A run's papers: what its own files say of its data, settings, code, seeds, scores, limits and licence, as one model card.

The card is plain data, `card.json`; `card.md` is made from that and from nothing else, by `captioner.reports.card_text`. What was not
put down when a run was trained is None. Both files lie beside the decoders' folders, where no manifest counts them.
"""

import math
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from captioner.config import CONTROLS, VARIANTS
from captioner.config_io import to_json
from captioner.errors import CheckpointError
from captioner.figures.decoder.parameters import count_parameters
from captioner.figures.limits import limits_of
from captioner.figures.scores.scoreboard import SPLITS, read_entry
from captioner.model.checkpoints import HISTORY, Checkpoint, EncoderMark, finished_history, load_all
from captioner.reports import licences
from captioner.reports.card_text import markdown
from captioner.scoring.comparison import fingerprint, finite
from captioner.scoring.evaluation import load_scores
from captioner.storage import exists, read_json, write_bytes, write_json
from captioner.training import provenance
from captioner.vision.encoder import ADAPTED, adapted_fingerprint, adapted_folder
from captioner.vocabulary import SPECIAL_WORDS

CARD, TEXT = "card.json", "card.md"
FORMAT = 1
_HOW = "how.json"
_WRONG = (KeyError, TypeError, ValueError, AttributeError, RecursionError, OverflowError)  # what wrong plain data may raise


def read_card(folder: Path) -> dict[str, Any]:
    """The card of the finished decoders in a folder, each checked against its manifest; anything damaged is a sentence."""
    folder = Path(folder)
    checkpoints = load_all(folder, tuple(name for name in (*VARIANTS, *CONTROLS) if exists(folder / name)))
    decoders = {name: _decoder(folder / name, checkpoint) for name, checkpoint in checkpoints.items()}
    first = next(iter(checkpoints.values()))
    encoder = _encoder(folder, first.encoder)
    return {
        "format": FORMAT,
        "stage": first.stage,
        "decoders": decoders,
        "encoder": encoder,
        "limits": list(_limits(decoders, encoder, first.preset.training.minimum_count)),
    }


def _decoder(folder: Path, checkpoint: Checkpoint) -> dict[str, Any]:
    return {
        "manifest_sha256": fingerprint(folder),
        "seed": checkpoint.seed,
        "words": len(checkpoint.vocabulary.words) - len(SPECIAL_WORDS),
        "vocabulary": checkpoint.vocabulary.fingerprint,
        "vectors": checkpoint.table.source,
        "parameters": asdict(count_parameters(folder)),
        "preset": to_json(checkpoint.preset),
        "scores": _scores(folder),
        **_told_by_history(folder),
    }


def _told_by_history(folder: Path) -> dict[str, Any]:
    history = finished_history(folder)
    try:
        return {"training": _training(history), **_origin(history)}
    except CheckpointError as error:
        raise CheckpointError(f"The {HISTORY} of {folder.name} cannot be told from: {error}") from error
    except _WRONG as error:
        raise CheckpointError(f"The {HISTORY} of {folder.name} is damaged in what it says of the run; copy it again.") from error


def _training(history: Mapping[str, Any]) -> dict[str, Any]:
    """What the run took, and the epoch that was kept; epochs are counted as in the history, with those of the run before."""
    best, own = history["epochs"][history["best_epoch"] - 1], history["epochs"][history["earlier"] :]
    cores = [epoch.get("cores") for epoch in own]
    return {
        "epochs": len(history["epochs"]),
        "earlier": history["earlier"],
        "best_epoch": history["best_epoch"],
        "dev_loss": finite(best["dev_loss"]),
        "dev_cider": None if best.get("dev_cider") is None else finite(best["dev_cider"]),
        "seconds": math.fsum(finite(epoch["seconds"]) for epoch in own),
        "cores": None if None in cores else min(map(int, cores)),
    }


def _origin(history: Mapping[str, Any]) -> dict[str, Any]:
    """Where a run comes from, each part None where it was not put down; then the same of the run that it started from."""
    data, code = provenance.read_data(history.get("data")), provenance.read_code(history.get("code"))
    start = history.get("started_from")
    return {
        "made_with": _text_or_none(history.get("made_with")),
        "data": data and provenance.to_json(data),
        "code": [part and provenance.to_json(part) for part in code],
        "started_from": None if start is None else {"seed": int(start["seed"])} | _origin(start),
    }


def _text_or_none(value: Any) -> str | None:
    if not (value is None or type(value) is str):
        raise ValueError
    return value


def _scores(folder: Path) -> dict[str, Any]:
    """The scores of every split that was evaluated, checked as the page checks them."""
    there = [split for split in SPLITS if split in load_scores(folder.parent, folder.name)]
    entries = {split: read_entry(folder.parent, folder.name, split) for split in there}
    return {
        split: dict(entry.setting)
        | {"metrics": entry.score.metrics, "intervals": {name: list(ends) for name, ends in entry.score.intervals.items()}}
        for split, entry in entries.items()
    }


def _encoder(folder: Path, mark: EncoderMark) -> dict[str, Any]:
    told = {**vars(mark), "licence": asdict(licences.of_weights(mark.name)), "adapted": None}
    place = adapted_folder(folder)
    if mark.name == ADAPTED and exists(place) and adapted_fingerprint(place) == mark.fingerprint:
        told["adapted"] = _how(place)
    return told


def _how(place: Path) -> dict[str, Any]:
    """How the encoder was trained on, from the file beside it."""
    how = read_json(place / _HOW)
    try:
        return {"data": str(how["data"]), "seed": int(how["seed"]), "settings": dict(how["settings"])}
    except _WRONG as error:
        raise CheckpointError(f"The {_HOW} of {place.name} does not say how the CNN was trained on; copy it again.") from error


def _limits(decoders: Mapping[str, Mapping[str, Any]], encoder: Mapping[str, Any], least: int) -> tuple[str, ...]:
    """Where no decoder says what it was trained on, it is what they were scored on: another split of the same data."""
    data = next((decoder["data"] for decoder in decoders.values() if decoder["data"]), None)
    scored = next((part["data"] for decoder in decoders.values() for part in decoder["scores"].values()), None)
    adapted = (encoder["adapted"] or {"data": ""})["data"] if encoder["name"] == ADAPTED else None
    name, count = (data["name"], data["photographs"].get("train")) if data else (scored, None)
    return limits_of(name, count, least, adapted)


def write_card(folder: Path, card: Mapping[str, Any] | None = None) -> None:
    """Put the card beside the decoders, as data and as text."""
    card = card or read_card(folder)
    write_json(Path(folder) / CARD, card)
    write_bytes(Path(folder) / TEXT, markdown(card).encode(errors="backslashreplace"))
