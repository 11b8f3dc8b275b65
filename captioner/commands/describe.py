"""`describe`: the layers and parameters of a preset's decoder, without data and without weights."""

from argparse import ArgumentParser
from dataclasses import dataclass

from captioner.commands import arguments, choices
from captioner.commands.report import print_json, print_table
from captioner.config import FIRST, VARIANTS, Preset
from captioner.config_io import changed
from captioner.errors import ConfigError
from captioner.presets import PRESETS, find_preset

FEATURES, REGIONS = 1280, 81  # of the encoder that comes with the program, which every preset looks through
SUMMARY = "count the parameters of a preset's decoder, layer by layer, without data or weights"


@dataclass(frozen=True, kw_only=True)
class Request(arguments.Request):
    preset: str
    variant: str
    vocabulary: int
    rows: int | None
    features: int
    regions: int
    embedding: int | None
    settings: list[tuple[str, str]]


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--preset", default="triptych", metavar="NAME", help=f"{', '.join(PRESETS)} (default: triptych)")
    parser.add_argument("--variant", default="learned", metavar="NAME", help=f"{', '.join(VARIANTS)} (default: learned)")
    words = arguments.number(int, 1, 1_000_000)
    parser.add_argument("--vocabulary", type=words, required=True, metavar="N", help="how many words get a score")
    rows = "rows of the word table, where it has more than words get a score (default: as many)"
    parser.add_argument("--rows", type=words, metavar="N", help=rows)
    for name, default, what in (
        ("--features", FEATURES, "numbers of a region of the photograph"),
        ("--regions", REGIONS, "regions of the photograph"),
    ):
        more = {"default": default, "metavar": "N", "help": f"{what} (default: {default})"}
        parser.add_argument(name, type=arguments.number(int, 1, 10_000), **more)
    parser.add_argument("--embedding", type=arguments.number(int, 1, 8192), metavar="N", help="numbers of a word's vector")
    arguments.settings(parser, "the preset's settings, as layers=2")


def run(options: Request) -> int:
    preset = _preset(options)
    from captioner.runtime import start_tensorflow

    start_tensorflow()
    from captioner.commands.description import describe

    found = describe(preset, options.variant, options.vocabulary, options.features, options.regions, options.rows)
    if options.json:
        print_json(found)
        return 0
    columns = {layer["name"]: {name: f"{layer[name]:,}" for name in ("parameters", "trainable")} for layer in found["layers"]}
    print_table(columns | {"together": {name: f"{found[name]:,}" for name in ("parameters", "trainable")}})
    return 0


def _preset(options: Request) -> Preset:
    if options.variant not in VARIANTS:
        raise ConfigError(f"There is no variant '{options.variant}' to describe; choose one of {', '.join(VARIANTS)}.")
    if options.rows and options.rows < options.vocabulary:
        raise ConfigError(f"A table of {options.rows:,} rows is too small for {options.vocabulary:,} words; give more --rows.")
    settings = choices.settings(options.settings, "--embedding", "embedding_dimensions", options.embedding)
    return changed(find_preset(options.preset), FIRST, settings)
