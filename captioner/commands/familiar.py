"""`familiar`: summarise the training photographs, so that pages can tell how familiar a photograph is, and measure the novelty
curve, which shows what that means for its captions."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from captioner.commands import arguments, choices
from captioner.commands.report import note, print_json, print_table, with_interval
from captioner.config import VARIANTS
from captioner.errors import CheckpointError, ConfigError

if TYPE_CHECKING:
    import numpy as np

    from captioner.captioning.captioner import Captioner
    from captioner.scoring.evaluation import Subjects
    from captioner.scoring.familiarity import Familiarity
    from captioner.scoring.novelty_curve import Curve

SUMMARY = "summarise the training photographs, and measure how captions depend on similarity to them"


@dataclass(frozen=True, kw_only=True)
class Request(arguments.Decoders):
    data: list[str] = arguments.datasets("; train is summarised, dev gives the scale")
    cache: Path | None = arguments.cache()


def run(options: Request) -> int:
    if choices.trained_on_dev(options):
        raise ConfigError(f"{choices.TRAINED_ON_DEV}, so none are held out to measure with; use decoders trained on train alone.")
    from captioner.data.datasets import by_set
    from captioner.scoring.evaluation import Subjects
    from captioner.scoring.familiarity import Familiarity
    from captioner.scoring.novelty_curve import save_curve
    from captioner.vision.feature_cache import FeatureCache
    from captioner.vocabulary import tokenize

    folder, data = choices.decoders(options), choices.dataset(options.data)
    captioner = choices.captioner(options, None)
    cache = FeatureCache(choices.cache(options.cache), captioner.encoder)
    failed = cache.fill(data.split("train"))
    train = [record for record in data.split("train") if record.name not in failed]
    dev = [Subjects.of(records, cache) for records in by_set(data, "dev").values()]
    for reason in (*failed.values(), *(reason for own in dev for reason in own.failed.values())):
        note(f"Left out: {reason}")
    captions = [[word for caption in record.captions for word in tokenize(caption)] for record in train]
    held_out, encoder = cache.pooled([record for own in dev for record in own.records]), captioner.encoder.fingerprint
    found, stored = Familiarity.fit(cache.pooled(train), held_out, captions, encoder, data.name), _stored(folder)
    if found.agrees(stored):
        found = stored  # Another stage's curve may be tied to this file.
    else:
        found.save(folder)
    curve = _measure(folder, data.name, captioner, dev, found.novelty(held_out))
    save_curve(folder, curve)
    (_print_json if options.json else _print_text)(folder, found, curve)
    return 0


def _stored(folder: "Path") -> "Familiarity | None":
    """The summary that is stored already; a damaged one is written anew."""
    from captioner.scoring.familiarity import Familiarity

    try:
        return Familiarity.load(folder)
    except CheckpointError:
        return None


def _measure(folder: "Path", data: str, captioner: "Captioner", dev: Sequence["Subjects"], novelty: "np.ndarray") -> "Curve":
    """Score the decoders' captions of the dev photographs, found with their own search setting, against novelty.

    Each data set is scored on its own; the photographs are in the same order as their novelty.
    """
    import numpy as np

    from captioner.captioning.search_settings import load_search_config
    from captioner.scoring.evaluation import evaluate
    from captioner.scoring.novelty_curve import measure, subject

    config = load_search_config(folder)
    found = [evaluate(captioner, own, config).scores for own in dev]
    ciders = {name: np.concatenate([scores[name].cider for scores in found]) for name in found[0]}
    return measure(subject(folder, data, len(novelty)), novelty, ciders)


def _print_json(folder: "Path", found: "Familiarity", curve: "Curve") -> None:
    from captioner.scoring.familiarity import summary_path
    from captioner.scoring.novelty_curve import to_json

    kinds = [{"words": kind.words, "photographs": kind.photographs} for kind in found.kinds]
    counts = {"photographs": found.photographs, "held_out": found.held_out}
    print_json({"file": str(summary_path(folder))} | counts | {"kinds": kinds, "curve": to_json(curve)})


def _print_text(folder: "Path", found: "Familiarity", curve: "Curve") -> None:
    from captioner.scoring.familiarity import summary_path

    counts = f"{found.photographs} photographs in {len(found.kinds)} kinds; {found.held_out} held out"
    print(f"Summarised {counts}. Wrote {summary_path(folder)}")
    for kind in sorted(found.kinds, key=lambda kind: -kind.photographs):
        print(f"{kind.photographs:6}  {', '.join(kind.words) or 'mixed'}")
    print("\nMean CIDEr on dev by percentile of novelty:")
    columns = {}
    for name, (value, *ends) in curve.correlation.items():
        scores = {f"{one.start:.0f} to {one.end:.0f}": one.cider[name] for one in curve.bins}
        cells = {stretch: with_interval(mean, (low, high)) for stretch, (mean, low, high) in scores.items()}
        title = VARIANTS[name].title if name in VARIANTS else name
        columns[title] = cells | {"rank correlation": with_interval(value, ends)}
    print_table(columns)
    for name, zone in curve.zones.items():
        print(f"{name}: from {zone.start:.0f} to {zone.end:.0f}")
