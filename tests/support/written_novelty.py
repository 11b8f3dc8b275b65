"""A novelty curve as the command stores it, with generated values, for the tests of its readers."""

from pathlib import Path

import numpy as np

from captioner.scoring.familiarity import Familiarity
from captioner.scoring.novelty_curve import Curve, measure, save_curve, subject


def summary(seed: int = 0) -> Familiarity:
    """A summary of 40 random points."""
    points = np.random.default_rng(seed).normal(size=(40, 6)).astype(np.float32)
    return Familiarity.fit(points[:20], points[20:], [["a", "dog"]] * 20, "eyes", "points", most=3)


def write_curve(folder: Path, flat: bool = False, variants=("learned", "word2vec", "fasttext")) -> Curve:
    """Store a curve of 100 photographs whose CIDEr falls from 0.9 to 0.1, or is flat; the folder needs a summary."""
    place = np.arange(100)
    cider = np.where(place % 2, 0.4, 0.6) if flat else 0.9 - 0.8 * place / 99
    curve = measure(subject(folder, "points", 100), place, dict.fromkeys(variants, cider))
    save_curve(folder, curve)
    return curve
