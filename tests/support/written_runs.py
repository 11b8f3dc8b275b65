"""What tests of the curves share: histories on disk as training writes them, with losses given by hand."""

import json
from collections.abc import Sequence
from pathlib import Path

from captioner.data.datasets import shapes

Losses = Sequence[tuple[float, float]]  # training and dev, epoch by epoch

LOSSES: dict[str, Losses] = {
    "learned": [(4.0, 3.5), (3.0, 3.0), (2.5, 3.1)],
    "word2vec": [(4.2, 3.6), (3.2, 3.2)],
    "fasttext": [(4.1, 3.4)],
}


def history(name: str, losses: Losses | None = None, **changes) -> dict:
    epochs = [
        {"epoch": number, "train_loss": train, "dev_loss": dev, "seconds": 10.0 * number, "learning_rate": 0.001}
        for number, (train, dev) in enumerate(losses or LOSSES[name], 1)
    ]
    best = min(epochs, key=lambda epoch: epoch["dev_loss"])["epoch"]
    return {"variant": name, "seed": 1, "state": "finished", "epochs": epochs, "earlier": 0, "best_epoch": best} | changes


def write(folder: Path, name: str, data: dict | str) -> Path:
    path = folder / name / "history.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(data if isinstance(data, str) else json.dumps(data))
    return path


def write_run(folder: Path) -> Path:
    """Three decoders that were trained for three, two and one epochs."""
    for name in LOSSES:
        write(folder, name, history(name))
    return folder


def write_seeds(folder: Path) -> Path:
    """The same run, with a second seed of the learned decoder that went on for one epoch less."""
    write_run(folder)
    write(folder / "seeds" / "2", "learned", history("learned", [(4.4, 3.7), (3.2, 3.4)], seed=2))
    return folder


def tiny_training(folder: Path) -> tuple[str, ...]:
    """A data set of a few drawn pictures, and the command line that trains one small decoder on it; epochs are left to say."""
    records = shapes(24, 8, 1).splits
    for part, split in (("train", "train"), ("val", "dev")):
        (folder / f"{part}2017").mkdir()
        for record in records[split]:
            (folder / f"{part}2017" / record.name).write_bytes(record.read())
        pictures = [{"id": number, "file_name": record.name} for number, record in enumerate(records[split])]
        said = [{"image_id": number, "caption": text} for number, record in enumerate(records[split]) for text in record.captions]
        (folder / f"captions_{part}2017.json").write_text(json.dumps({"images": pictures, "annotations": said}))
    return ("train", "--data", str(folder), "--preset", "tiny", "--variant", "learned", "--epochs")
