"""A small study on disk, with scores drawn by hand: what tests of the comparison with repeated seeds share."""

from pathlib import Path

import numpy as np

from captioner.config import CONTROLS, FIRST, REWARD, VARIANTS
from captioner.experiments.study import STUDY, conclude
from captioner.experiments.trial_records import Record, Trial
from captioner.storage import write_json

# Mean CIDEr of each variant's captions; what is not among them lies at 0.5.
MEANS = {"word2vec": 0.6, "random": 0.2}


def record(stage: str, variant: str, seed: int, apart: bool = False, photographs: int = 40) -> Record:
    random = np.random.default_rng((seed, len(variant)))
    mean = MEANS.get(variant, 0.5) - 0.2 * apart + (0.1 if stage == REWARD else 0) + 0.01 * seed
    scattered = 0.05 * random.standard_normal(photographs)
    names = {"preset": "triptych-frozen" if apart else "triptych", "stage": stage, "variant": variant, "seed": seed}
    # On dev the seeds lie in the opposite order.
    ciders = {"test": mean + scattered, "dev": mean - 0.1 * seed + scattered}
    splits = {split: _part(stage, variant, seed, cider) for split, cider in ciders.items()}
    data = names | splits | {"seconds": 300.0, "epochs": 4, "best_epoch": 3, "cores": 2}
    return Record(Trial(names["preset"], stage, variant, seed, apart), data)


def _part(stage: str, variant: str, seed: int, cider: np.ndarray) -> dict:
    metrics = {"bleu1": 0.6, "bleu4": 0.2 + 0.01 * seed, "rouge_l": 0.45, "cider": float(cider.mean())}
    flawed = 0.02 if stage == REWARD else 0.1
    wording = {"distinct_captions": 30 + seed, "different_words": 90, "flawed": flawed, "rare": 0.01, "copied": None}
    part = {"metrics": metrics, "loss": 2.7, "strangest_cider": 0.4, "others_cider": 0.6, "wording": wording}
    return part | {"cider": cider.round(4).tolist(), "used": {"a": 3, variant: 2}}


def write_study(folder: Path, planned: int = 14) -> dict:
    finished = [
        *(record(FIRST, name, seed) for seed in (1, 2) for name in VARIANTS),
        *(record(REWARD, name, 1) for name in VARIANTS),
        *(record(FIRST, next(iter(CONTROLS)), seed) for seed in (1, 2)),
        *(record(FIRST, "word2vec", seed, apart=True) for seed in (1, 2)),
    ]
    concluded = conclude(finished, "triptych") | {"planned": planned}
    write_json(folder / STUDY, concluded)
    return concluded
