"""`pseudo-caption`: labelled photographs and a text in, a data set out, with a sentence of the text for each photograph."""

from dataclasses import dataclass
from pathlib import Path

from captioner.commands import arguments, choices
from captioner.commands.report import note, print_json
from captioner.errors import ConfigError, DatasetError

MOST = 12
SUMMARY = "choose people's sentences for labelled photographs, as a data set to train on"


@dataclass(frozen=True, kw_only=True)
class Request(arguments.Decoders):
    description = (
        "Find a sentence for each of the labelled photographs that are not held out: of the text's sentences that name its "
        "object, the one that decoders with word slots, told the label, find most fitting. Sentences mention a person, dog or "
        "cat only if a classifier trained on the captions of --data finds one in the photograph. The photographs and their "
        "sentences become a data set with training photographs alone, for train --data."
    )
    interrupted = "Interrupted. Nothing was written."
    labels: Path = arguments.path("folder of labelled photographs", required=True)
    data: list[str] = arguments.datasets()
    corpus: list[Path] = arguments.repeatable(
        "text with one sentence per line, .txt or .txt.gz; repeatable", "FILE", type=Path, required=True
    )
    variant: list[str] = arguments.variants()
    most: int = arguments.option(
        f"photographs of one object to keep, the best fitting first (default: {MOST})",
        "N",
        type=arguments.number(int, 1, 1000),
        default=MOST,
    )
    out: Path = arguments.path("new folder for the data set", required=True)
    cache: Path | None = arguments.cache()


def run(options: Request) -> int:
    from captioner.data.labels import load_labels, mark
    from captioner.progress import Progress
    from captioner.scoring.comparison import fingerprint
    from captioner.training.embedding_tables import Sources
    from captioner.training.pseudo_captions import choose, naming, rated, save, showing
    from captioner.vision.feature_cache import FeatureCache
    from captioner.vocabulary import tokenize
    from embeddings.corpus import read_lines

    choices.check_files(options.corpus)
    if options.out.exists():
        raise ConfigError(f"There is a folder {options.out} already; give another name.")
    found, captioner = load_labels(options.labels), choices.captioner(options, choices.variants(options.variant))
    if not captioner.word_slots:
        raise ConfigError("Decoders without word slots cannot be told a label; choose decoders that have some.")
    cache, captioned = FeatureCache(choices.cache(options.cache), captioner.encoder), choices.dataset(options.data).split("train")
    for reason in (failed := cache.fill([*found.train, *captioned])).values():
        note(f"Left out: {reason}")
    records, captioned = ([record for record in part if record.name not in failed] for part in (found.train, captioned))
    lines = (tokenize(line) for path in options.corpus for line in read_lines(path))
    sentences = naming(lines, {record.label for record in records})
    fitting = []
    with Progress("sentences", len(records), "photographs") as bar:
        for several in rated(captioner, records, cache, sentences, showing(records, captioned, cache)):
            fitting += several
            bar.advance()
    chosen = choose(fitting, options.most)
    if not chosen:
        raise DatasetError("No sentence of the text names an object of the labels in words that the decoders know; add text.")
    how = {
        "decoders": {name: fingerprint(choices.decoders(options) / name) for name in captioner.variants},
        "labels": mark([*found.train, *found.held_out]),
        "data": [Path(folder).name for folder in options.data],
        "text": Sources(tuple(options.corpus)).marks(),
        "most": options.most,
    }
    save(options.out, chosen, how)
    if options.json:
        print_json({"out": str(options.out), "photographs": len(records), "kept": len(chosen)})
    else:
        print(f"Kept {len(chosen)} of {len(records)} photographs, each with a sentence, in {options.out}.")
    return 0
