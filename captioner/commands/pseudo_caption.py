"""`pseudo-caption`: labelled photographs in, a data set out whose captions the decoders wrote, told the labels."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from captioner.commands import arguments, choices
from captioner.commands.report import note, print_json
from captioner.config import SearchConfig
from captioner.errors import ConfigError, DatasetError

if TYPE_CHECKING:
    from captioner.captioning.captioner import Captioner
    from captioner.data.labels import Labelled, LabelledSet

MOST = 12
SUMMARY = "caption labelled photographs, with their labels in word slots, as a data set to train on"


@dataclass(frozen=True, kw_only=True)
class Request(arguments.Decoders):
    description = (
        "Caption the labelled photographs that are not held out, with the label in the decoders' word slots. Captions that name "
        "the object, end, and say no content word twice become a data set with training photographs alone, for train --data."
    )
    interrupted = "Interrupted. Re-run the command to continue."
    labels: Path = arguments.path("folder of labelled photographs", required=True)
    beam: int | None = arguments.beam()
    most: int = arguments.option(
        f"captions of one object to keep, the likeliest per word first (default: {MOST})",
        "N",
        type=arguments.number(int, 1, 1000),
        default=MOST,
    )
    out: Path = arguments.path(
        "folder for the data set; an interrupted one is continued, and another --most needs no new captions", required=True
    )
    cache: Path | None = arguments.cache()


def run(options: Request) -> int:
    from captioner.data.labels import load_labels
    from captioner.training.pseudo_captions import choose, save

    found, captioner = load_labels(options.labels), choices.captioner(options, None)
    config = replace(choices.search_config(options, options.beam), alternatives=0)
    how = _how(options, captioner, found, config)
    records, written = _written(options, captioner, found.train, config, how)
    chosen = choose(records, written, options.most)
    if not chosen:
        raise DatasetError("No caption names its photograph's object; train the decoders longer, or with more word slots.")
    save(options.out, chosen, how | {"most": options.most})
    counts = {"photographs": len(records), "kept": len(chosen), "captions": sum(map(len, chosen.values()))}
    if options.json:
        print_json({"out": str(options.out)} | counts)
    else:
        print(f"Kept {counts['captions']} captions of {counts['kept']} of {counts['photographs']} photographs in {options.out}.")
    return 0


def _how(options: Request, captioner: "Captioner", found: "LabelledSet", config: SearchConfig) -> dict[str, Any]:
    """What the captions depend on."""
    from captioner.data.labels import mark
    from captioner.scoring.comparison import fingerprint

    decoders = {name: fingerprint(choices.decoders(options) / name) for name in captioner.variants}
    return {"decoders": decoders, "labels": mark([*found.train, *found.held_out]), "search": asdict(config)}


def _written(
    options: Request, captioner: "Captioner", photographs: "Sequence[Labelled]", config: SearchConfig, how: dict[str, Any]
) -> "tuple[list[Labelled], dict[str, dict[str, Any]]]":
    """The readable photographs, and by name what the decoders write for them; what is in the folder is not written again."""
    from captioner.progress import Progress
    from captioner.training.pseudo_captions import read_written, write_captions
    from captioner.vision.feature_cache import FeatureCache

    written = read_written(options.out, how)
    if not captioner.word_slots:
        raise ConfigError("Decoders without word slots cannot be told a label; choose decoders that have some.")
    cache = FeatureCache(choices.cache(options.cache), captioner.encoder)
    for reason in (failed := cache.fill(photographs)).values():
        note(f"Left out: {reason}")
    records = [record for record in photographs if record.name not in failed]
    left = [record for record in records if record.name not in written]
    with Progress("captions", len(left), "photographs") as bar:
        for entry in write_captions(captioner, left, cache, config, options.out, how):
            written[entry["image"]] = entry
            bar.advance()
    return records, written
