"""`familiar`: sum up the training photographs, so that the page can say how familiar another photograph is, and measure what
that says about its captions."""

from argparse import ArgumentParser
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from captioner.commands import arguments, choices
from captioner.commands.report import note, print_json, print_table, with_interval
from captioner.errors import CheckpointError, ConfigError

if TYPE_CHECKING:

    import numpy as np

    from captioner.captioning.captioner import Captioner
    from captioner.data.datasets import Record
    from captioner.scoring.evaluation import Subjects
    from captioner.scoring.familiarity import Familiarity
    from captioner.scoring.novelty_curve import Curve
    from captioner.vision.feature_cache import FeatureCache

SUMMARY = "sum up the training photographs, and measure what being unlike them says about captions"


@dataclass(frozen=True, kw_only=True)
class Request(arguments.Request, arguments.Decoders):
    data: str
    cache: Path | None


def add_arguments(parser: ArgumentParser) -> None:
    arguments.data(parser, "or the word shapes; its train split is summed up, its dev split says how far apart photographs lie")
    arguments.decoders(parser)
    arguments.cache(parser)


def run(options: Request) -> int:
    if choices.trained_on_dev(options):
        raise ConfigError(f"{choices.SEEN_DEV}, so none are held out to measure with; name decoders trained on train alone.")
    from captioner.runtime import start_tensorflow

    start_tensorflow()
    from captioner.captioning.captioner import Captioner
    from captioner.scoring.evaluation import Subjects
    from captioner.scoring.familiarity import Familiarity
    from captioner.scoring.novelty_file import save_curve
    from captioner.vision.feature_cache import FeatureCache
    from captioner.vocabulary import tokenize

    folder, data = choices.decoders(options), choices.dataset(options.data)
    captioner = Captioner.load(folder, weights=options.encoder_weights)
    cache = FeatureCache(choices.cache(options.cache), captioner.encoder)
    train, dev = _usable(data.split("train"), cache), Subjects.of(data.split("dev"), cache)
    _tell(dev.failed)
    captions = [[word for caption in record.captions for word in tokenize(caption)] for record in train]
    held_out, encoder = cache.pooled(dev.records), captioner.encoder.fingerprint
    found, there = Familiarity.fit(cache.pooled(train), held_out, captions, encoder, data.name), _there(folder)
    if found.agrees(there):
        found = there  # Another stage's curve may have been measured with it, and stays good.
    else:
        found.save(folder)
    curve = _measure(folder, data.name, captioner, dev, found.strangeness(held_out))
    save_curve(folder, curve)
    (_print_json if options.json else _print_text)(folder, found, curve)
    return 0


def _measure(folder: "Path", data: str, captioner: "Captioner", dev: "Subjects", strangeness: "np.ndarray") -> "Curve":
    """How the decoders' captions, found with their own setting, fit the dev photographs along the order of strangeness."""
    from captioner.scoring.evaluation import evaluate, load_search_config
    from captioner.scoring.novelty_curve import measure
    from captioner.scoring.novelty_file import subject

    evaluation = evaluate(captioner, dev, load_search_config(folder))
    of = subject(folder, data, len(dev.records))
    return measure(of, strangeness, {name: scores.cider for name, scores in evaluation.scores.items()})


def _print_json(folder: "Path", found: "Familiarity", curve: "Curve") -> None:
    from captioner.scoring.familiarity import place
    from captioner.scoring.novelty_file import to_json

    kinds = [{"words": kind.words, "photographs": kind.photographs} for kind in found.kinds]
    counts = {"photographs": found.photographs, "held_out": found.held_out}
    print_json({"file": str(place(folder))} | counts | {"kinds": kinds, "curve": to_json(curve)})


def _print_text(folder: "Path", found: "Familiarity", curve: "Curve") -> None:
    from captioner.config import VARIANTS
    from captioner.scoring.familiarity import place

    counts = f"{found.photographs} photographs in {len(found.kinds)} kinds; {found.held_out} held out"
    print(f"Summed up {counts}. Kept in {place(folder)}")
    for kind in sorted(found.kinds, key=lambda kind: -kind.photographs):
        print(f"{kind.photographs:6}  {', '.join(kind.words) or 'a mixed lot'}")
    print("\nMean CIDEr on dev, by how many of 100 held-out photographs are less strange:")
    columns = {}
    for name, (value, *ends) in curve.correlation.items():
        scores = {f"{one.start:.0f} to {one.end:.0f}": one.cider[name] for one in curve.bins}
        cells = {place: with_interval(mean, (low, high)) for place, (mean, low, high) in scores.items()}
        title = VARIANTS[name].title if name in VARIANTS else name
        columns[title] = cells | {"rank correlation": with_interval(value, ends)}
    print_table(columns)
    for name, zone in curve.zones.items():
        print(f"{name}: from {zone.start:.0f} to {zone.end:.0f}")


def _usable(records: "Sequence[Record]", cache: "FeatureCache") -> "list[Record]":
    failed = cache.fill(records)
    _tell(failed)
    return [record for record in records if record.name not in failed]


def _tell(failed: Mapping[str, str]) -> None:
    for reason in failed.values():
        note(f"Left out: {reason}")


def _there(folder: "Path") -> "Familiarity | None":
    """The summary that lies there already; a damaged one is written anew."""
    from captioner.scoring.familiarity import Familiarity

    try:
        return Familiarity.load(folder)
    except CheckpointError:
        return None
