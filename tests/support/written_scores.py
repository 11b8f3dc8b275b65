"""Scores and comparisons as evaluation writes them, with generated values, for the tests of what reads them."""

from dataclasses import asdict
from itertools import combinations
from pathlib import Path

from captioner.model.checkpoints import SCORES
from captioner.scoring.baselines import ScoreSummary
from captioner.scoring.bootstrap import Estimate
from captioner.scoring.caption_style import CaptionStyle
from captioner.scoring.comparison import CONSTANT, PEOPLE, Comparison, save_comparison, subject
from captioner.scoring.evaluation import load_scores
from captioner.scoring.metrics import METRICS
from captioner.storage import write_json

SETTING = {"images": 1000, "beam": 3, "length_preference": 0.7}
VALUES = {"learned": 0.50, "word2vec": 0.53, "fasttext": 0.57}


def yardstick(value: float) -> ScoreSummary:
    return ScoreSummary(dict.fromkeys(METRICS, value), dict.fromkeys(METRICS, (value - 0.03, value + 0.03)))


def write_scores(folder: Path, split: str, values=VALUES, data="flickr8k") -> None:
    """Add scores of a split to those in the folder."""
    for name, value in values.items():
        summary = {"data": data} | SETTING | asdict(yardstick(value))
        write_json(folder / name / SCORES, load_scores(folder, name) | {split: summary})


def comparison(folder: Path, values=VALUES, data="flickr8k", half=0.09) -> Comparison:
    """Every difference with an interval of this half width; wider than 0.07 it makes all of them chance."""
    differences = {}
    for first, second in combinations(values, 2):
        value = values[first] - values[second]
        differences[first, second] = dict.fromkeys(METRICS, Estimate(value, value - half, value + half))
    people = CaptionStyle(11.0, 999.4, 1500.2, 0.04, None)
    wording = dict.fromkeys(values, CaptionStyle(10.0, 750, 250, 0.1, 0.08)) | {PEOPLE: people}
    fewer = {name: yardstick(value - 0.02) for name, value in values.items()}
    of = subject(folder, data, SETTING, tuple(values))
    return Comparison(of, differences, {PEOPLE: yardstick(0.82), CONSTANT: yardstick(0.1)}, fewer, wording)


def write_all(folder: Path, splits=("dev", "test"), data="flickr8k", half=0.09) -> Path:
    for split in splits:
        write_scores(folder, split, data=data)
        save_comparison(folder, split, comparison(folder, data=data, half=half))
    return folder
