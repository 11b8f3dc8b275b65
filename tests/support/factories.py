"""Files as the program writes them: data sets, histories, scores and novelty curves."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from itertools import combinations
from pathlib import Path

import numpy as np

from captioner.data.datasets import shapes
from captioner.model.checkpoints import SCORES
from captioner.scoring import comparison as comparisons
from captioner.scoring import novelty_curve
from captioner.scoring.baselines import ScoreSummary
from captioner.scoring.bootstrap import Estimate
from captioner.scoring.caption_style import CaptionStyle
from captioner.scoring.comparison import CONSTANT, PEOPLE, Comparison
from captioner.scoring.evaluation import load_scores
from captioner.scoring.familiarity import Familiarity
from captioner.scoring.metrics import METRICS
from captioner.scoring.novelty_curve import Curve, measure
from captioner.storage import write_json

Losses = Sequence[tuple[float, float]]  # training and dev, epoch by epoch
LOSSES: dict[str, Losses] = {
    "learned": [(4.0, 3.5), (3.0, 3.0), (2.5, 3.1)],
    "word2vec": [(4.2, 3.6), (3.2, 3.2)],
    "fasttext": [(4.1, 3.4)],
}
SETTING = {"images": 1000, "beam": 3, "length_preference": 0.7}
VALUES = {"learned": 0.50, "word2vec": 0.53, "fasttext": 0.57}


def write_flickr8k(root: Path, *counts: int, longest: int | None = None) -> Path:
    """Photographs of train, dev and test by count, with captions of at most `longest` words."""
    photographs, text = root / "Flicker8k_Dataset", root / "Flickr8k_text"
    photographs.mkdir(parents=True)
    text.mkdir()
    tokens = []
    for split, records in shapes(*counts).splits.items():
        (text / f"Flickr_8k.{split}Images.txt").write_text("".join(f"{record.name}\n" for record in records))
        for record in records:
            (photographs / record.name).write_bytes(record.read())
            captions = (" ".join(caption.split()[:longest]) for caption in record.captions)
            tokens += [f"{record.name}#{number}\t{caption} .\n" for number, caption in enumerate(captions)]
    (text / "Flickr8k.token.txt").write_text("".join(tokens))
    return root


def write_by_split(root: Path, *counts: int, longest: int | None = None) -> Path:
    """Other photographs of the same file names, with a file of captions for each split."""
    (root / "photographs").mkdir(parents=True)
    for split, records in shapes(*counts, seed=1).splits.items():
        lines = []
        for record in records:
            (root / "photographs" / record.name).write_bytes(record.read())
            captions = (" ".join(caption.split()[:longest]) for caption in record.captions)
            lines += [f"{record.name}#{number}\t{caption} .\n" for number, caption in enumerate(captions)]
        (root / f"captions.{split}.txt").write_text("".join(lines))
    return root


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
    """Three decoders, trained for as many epochs as LOSSES has."""
    for name in LOSSES:
        write(folder, name, history(name))
    return folder


def write_seeds(folder: Path) -> Path:
    """The same run, with a second and shorter seed of the learned decoder."""
    write_run(folder)
    write(folder / "seeds" / "2", "learned", history("learned", [(4.4, 3.7), (3.2, 3.4)], seed=2))
    return folder


def tiny_training(folder: Path) -> tuple[str, ...]:
    """Write a small data set; the arguments that train one small decoder on it, up to the number of epochs."""
    records = shapes(24, 8, 1).splits
    for part, split in (("train", "train"), ("val", "dev")):
        (folder / f"{part}2017").mkdir()
        for record in records[split]:
            (folder / f"{part}2017" / record.name).write_bytes(record.read())
        pictures = [{"id": number, "file_name": record.name} for number, record in enumerate(records[split])]
        said = [{"image_id": number, "caption": text} for number, record in enumerate(records[split]) for text in record.captions]
        (folder / f"captions_{part}2017.json").write_text(json.dumps({"images": pictures, "annotations": said}))
    return ("train", "--data", str(folder), "--preset", "tiny", "--variant", "learned", "--epochs")


def yardstick(value: float) -> ScoreSummary:
    return ScoreSummary(dict.fromkeys(METRICS, value), dict.fromkeys(METRICS, (value - 0.03, value + 0.03)))


def write_scores(folder: Path, split: str, values=VALUES, data="flickr8k") -> None:
    """Add scores of a split to those in the folder."""
    for name, value in values.items():
        summary = {"data": data} | SETTING | asdict(yardstick(value))
        write_json(folder / name / SCORES, load_scores(folder, name) | {split: summary})


def comparison(folder: Path, values=VALUES, data="flickr8k", half=0.09) -> Comparison:
    """All differences have intervals of this half width; above 0.07 none is significant."""
    differences = {}
    for first, second in combinations(values, 2):
        value = values[first] - values[second]
        differences[first, second] = dict.fromkeys(METRICS, Estimate(value, value - half, value + half))
    people = CaptionStyle(11.0, 999.4, 1500.2, 0.04, None)
    wording = dict.fromkeys(values, CaptionStyle(10.0, 750, 250, 0.1, 0.08)) | {PEOPLE: people}
    fewer = {name: yardstick(value - 0.02) for name, value in values.items()}
    of = comparisons.subject(folder, data, SETTING, tuple(values))
    return Comparison(of, differences, {PEOPLE: yardstick(0.82), CONSTANT: yardstick(0.1)}, fewer, wording)


def write_all(folder: Path, splits=("dev", "test"), data="flickr8k", half=0.09) -> Path:
    for split in splits:
        write_scores(folder, split, data=data)
        comparisons.save_comparison(folder, split, comparison(folder, data=data, half=half))
    return folder


def summary(seed: int = 0) -> Familiarity:
    """A summary of 40 random points."""
    points = np.random.default_rng(seed).normal(size=(40, 6)).astype(np.float32)
    return Familiarity.fit(points[:20], points[20:], [["a", "dog"]] * 20, "eyes", "points", most=3)


def write_curve(folder: Path, flat: bool = False, variants=("learned", "word2vec", "fasttext")) -> Curve:
    """Store a curve of 100 photographs whose CIDEr falls from 0.9 to 0.1, or is flat; the folder needs a summary."""
    place = np.arange(100)
    cider = np.where(place % 2, 0.4, 0.6) if flat else 0.9 - 0.8 * place / 99
    curve = measure(novelty_curve.subject(folder, "points", 100), place, dict.fromkeys(variants, cider))
    novelty_curve.save_curve(folder, curve)
    return curve
