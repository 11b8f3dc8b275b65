"""`bench`: prints what `captioner.benchmarks.captioning` measures."""

from argparse import ArgumentParser
from dataclasses import dataclass
from pathlib import Path

from captioner.commands import arguments, choices
from captioner.commands.report import note, print_json
from captioner.errors import ConfigError
from captioner.presets import PRESETS, find_preset

GIGABYTES = 60.0  # of a made-up cache
PHOTOGRAPHS = 8000  # captioned together
SUMMARY = "time captioning or training, against the popular recipe"


@dataclass(frozen=True, kw_only=True)
class Request(arguments.Request, arguments.Decoders):
    training: bool
    large: bool
    bulk: bool
    workers: bool
    gigabytes: float
    photographs: int
    data: str | None
    preset: str
    cache: Path | None


def add_arguments(parser: ArgumentParser) -> None:
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--training", action="store_true", help="time an epoch of training instead of captioning")
    large = "train on a made-up cache larger than memory, in sparse files, and read made-up captions in COCO's form"
    what.add_argument("--large", action="store_true", help=large)
    bulk = "caption thousands of files, against the encoder alone; with --data those of that folder, over and over"
    what.add_argument("--bulk", action="store_true", help=bulk)
    what.add_argument("--workers", action="store_true", help="time training by 1, 2 and 4 processes; compute COCO's cost")
    size = f"for --large: gigabytes of that cache's address space; it takes no room on the disk (default: {GIGABYTES:g})"
    parser.add_argument("--gigabytes", type=arguments.number(float, 0.1, 10_000), default=GIGABYTES, metavar="N", help=size)
    many = f"for --bulk: how many files are captioned (default: {PHOTOGRAPHS:,})"
    parser.add_argument("--photographs", type=arguments.number(int, 1), default=PHOTOGRAPHS, metavar="N", help=many)
    arguments.data(parser, "for --training and --workers", required=False)
    presets = f"for the same: {', '.join(PRESETS)} (default: triptych)"
    parser.add_argument("--preset", default="triptych", metavar="NAME", help=presets)
    arguments.decoders(parser)
    arguments.cache(parser)


def run(options: Request) -> int:
    preset = find_preset(options.preset).name
    what = "training" if options.training else "workers" if options.workers else ""
    if what and not options.data:
        raise ConfigError(f"bench --{what} needs photographs to train on; give --data with a folder of Flickr8k or COCO.")
    if options.encoder_weights and (what or options.large):
        raise ConfigError(
            "The file of --encoder-weights is for the decoders that captioning is timed with; leave it out with --training, "
            "--large and --workers."
        )
    if options.workers:
        return _workers(options, preset)
    from captioner.benchmarks import captioning

    if options.large:
        result = _large(options.gigabytes)
    elif options.bulk:
        from captioner.benchmarks.bench_bulk import bulk_bench

        data = Path(options.data) if options.data else None
        result = bulk_bench(choices.decoders(options), options.photographs, data, options.encoder_weights)
    elif options.training:
        result = captioning.training_bench(options.data, choices.cache(options.cache), preset)
    else:
        result = captioning.caption_bench(choices.decoders(options), weights=options.encoder_weights)
    if options.json:
        print_json(result)
    else:
        print(captioning.table(result))
    return 0


def _large(gigabytes: float) -> dict[str, dict[str, float]]:
    from captioner.benchmarks.bench_large import SPARSE, large_bench

    note(SPARSE)
    return large_bench(gigabytes)


def _workers(options: Request, preset: str) -> int:
    from captioner.benchmarks.bench_workers import workers_bench
    from captioner.benchmarks.coco_table import table, told

    result = workers_bench(options.data, choices.cache(options.cache), preset)
    if options.json:
        print_json(result)
    else:
        print(f"{told(result)}\n\n{table(result)}")
    return 0
