"""`pseudo-caption`: labelled photographs in, a data set out whose captions the decoders wrote, told the labels."""

from dataclasses import dataclass, replace
from pathlib import Path

from captioner.commands import arguments, choices
from captioner.commands.report import note, print_json
from captioner.errors import ConfigError, DatasetError

SUMMARY = "caption labelled photographs, with their labels in word slots, as a data set to train on"


@dataclass(frozen=True, kw_only=True)
class Request(arguments.Decoders):
    description = (
        "Caption the labelled photographs that are not held out, with the label in the decoders' word slots. Captions that name "
        "the object, end, and say no content word twice become a data set with training photographs alone, for train --data."
    )
    labels: Path = arguments.path("folder of labelled photographs", required=True)
    beam: int | None = arguments.beam()
    out: Path = arguments.path("new folder for the data set", required=True)
    cache: Path | None = arguments.cache()


def run(options: Request) -> int:
    if options.out.exists():
        raise ConfigError(f"There is a folder {options.out} already; give another name.")
    from captioner.data.labels import Labelled, load_labels
    from captioner.progress import Progress
    from captioner.training.pseudo_captions import save, write_captions
    from captioner.vision.feature_cache import FeatureCache

    found, captioner = load_labels(options.labels), choices.captioner(options, None)
    if not next(iter(captioner.checkpoints.values())).preset.decoder.word_slots:
        raise ConfigError("Decoders without word slots cannot be told a label; choose decoders that have some.")
    cache = FeatureCache(choices.cache(options.cache), captioner.encoder)
    for reason in (failed := cache.fill(found.train)).values():
        note(f"Left out: {reason}")
    records = [record for record in found.train if record.name not in failed]
    config = replace(choices.search_config(options, options.beam), alternatives=0)
    with Progress("captions", len(records), "photographs") as bar:
        kept: dict[Labelled, tuple[str, ...]] = {}
        for record, texts in write_captions(captioner, records, cache, config):
            kept |= {record: texts} if texts else {}
            bar.advance()
    if not kept:
        raise DatasetError("No caption names its photograph's object; train the decoders longer, or with more word slots.")
    save(options.out, kept)
    counts = {"photographs": len(records), "kept": len(kept), "captions": sum(map(len, kept.values()))}
    if options.json:
        print_json({"out": str(options.out)} | counts)
    else:
        print(f"Kept {counts['captions']} captions of {counts['kept']} of {counts['photographs']} photographs in {options.out}.")
    return 0
