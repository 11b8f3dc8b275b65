"""Small studies with scores drawn by hand, for the tests of everything that reads one."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from captioner.config import CONTROLS, FIRST, REWARD, VARIANTS
from captioner.config_io import to_json
from captioner.experiments.conclusions import Study, conclude, save_study
from captioner.experiments.plans import FLICKR8K, PLANS, SEEDS
from captioner.experiments.records import TRIALS, Record, Scores, stored
from captioner.presets import PRESETS
from captioner.storage import write_json

# Mean CIDEr of each variant's captions; any other has 0.5.
MEANS = {"word2vec": 0.6, "random": 0.2}


def scores(cider, loss: float = 2.7, **changes) -> Scores:
    metrics = {"bleu1": 0.6, "bleu4": 0.2, "rouge_l": 0.45, "cider": float(np.mean(cider))}
    wording = {"distinct_captions": 7, "different_words": 90, "flawed": 0.1, "rare": 0.01, "copied": None}
    found = Scores(metrics, 5, 1.0, len(cider), loss=loss, strangest_cider=0.4, others_cider=0.6, wording=wording)
    return replace(found, cider=tuple(float(value) for value in cider), **changes)


def trial_record(
    variant: str, seed: int, parts: dict[str, Scores], stage: str = FIRST, preset: str = "flickr8k", **changes
) -> Record:
    return Record(
        variant=variant,
        stage=stage,
        seed=seed,
        settings=to_json(PRESETS[preset].up_to(stage)),
        encoder=PRESETS[preset].encoder,
        made_with="0123",
        scores=parts,
        **{"data": "flickr8k", "losses": ((4.0, 3.5),) * 4, "seconds": 300.0, "fastest_epoch": 70.0, "best_epoch": 3, "cores": 2}
        | changes,
    )


def record(stage: str, variant: str, seed: int, original: bool = False, photographs: int = 40) -> Record:
    random = np.random.default_rng((seed, len(variant)))
    mean = MEANS.get(variant, 0.5) - 0.2 * original + (0.1 if stage == REWARD else 0) + 0.01 * seed
    scattered = 0.05 * random.standard_normal(photographs)
    # On dev the seeds lie in the opposite order.
    ciders = {"test": mean + scattered, "dev": mean - 0.1 * seed + scattered}
    parts = {split: _part(stage, variant, seed, cider) for split, cider in ciders.items()}
    return trial_record(variant, seed, parts, stage, "triptych-frozen" if original else "flickr8k")


def _part(stage: str, variant: str, seed: int, cider: np.ndarray) -> Scores:
    part = scores(cider.round(4), used={"a": 3, variant: 2})
    part.metrics["bleu4"] += 0.01 * seed
    part.wording.update(distinct_captions=30 + seed, flawed=0.02 if stage == REWARD else 0.1)
    return part


def wide_record(stage: str, variant: str, seed: int) -> Record:
    """A record of the recipe that ships, with the scores of a second data set."""
    own = record(stage, variant, seed)
    further = {
        f"wide {split}": scores([one.metrics["cider"] - 0.1] * 5, wording=one.wording) for split, one in own.scores.items()
    }
    return trial_record(variant, seed, own.scores | further, stage, "triptych", data="flickr8k+wide")


def write_wide_study(folder: Path) -> Study:
    """The study of the recipe that ships, and its records: two seeds through both stages."""
    finished = [wide_record(stage, name, seed) for stage in (FIRST, REWARD) for seed in (1, 2) for name in VARIANTS]
    study = conclude(finished, PLANS[SEEDS])
    save_study(folder, study, PLANS[SEEDS])
    write_json(folder / TRIALS / f"{SEEDS}.json", {"trials": [stored(one) for one in finished]})
    return study


def write_study(folder: Path, planned: int = 14) -> Study:
    """The study on Flickr8k alone."""
    finished = [
        *(record(FIRST, name, seed) for seed in (1, 2) for name in VARIANTS),
        *(record(REWARD, name, 1) for name in VARIANTS),
        *(record(FIRST, next(iter(CONTROLS)), seed) for seed in (1, 2)),
        *(record(FIRST, "word2vec", seed, original=True) for seed in (1, 2)),
    ]
    study = replace(conclude(finished, FLICKR8K), planned=planned)
    save_study(folder, study, FLICKR8K)
    return study
