"""A curve of familiarity as the command stores it, with generated values, for the tests of what reads it."""

from pathlib import Path

import numpy as np

from captioner.scoring.familiarity import Familiarity
from captioner.scoring.novelty_curve import Curve, measure
from captioner.scoring.novelty_file import save_curve, subject


def summary(seed: int = 0) -> Familiarity:
    """Of 40 points of which nothing is known."""
    points = np.random.default_rng(seed).normal(size=(40, 6)).astype(np.float32)
    return Familiarity.fit(points[:20], points[20:], [["a", "dog"]] * 20, "eyes", "points", most=3)


def write_curve(folder: Path, flat: bool = False, variants=("learned", "word2vec", "fasttext")) -> Curve:
    """Into a folder of decoders with a summary beside them: 100 photographs, whose CIDEr falls from 0.9 to 0.1, or is even."""
    place = np.arange(100)
    cider = np.where(place % 2, 0.4, 0.6) if flat else 0.9 - 0.8 * place / 99
    curve = measure(subject(folder, "points", 100), place, dict.fromkeys(variants, cider))
    save_curve(folder, curve)
    return curve
