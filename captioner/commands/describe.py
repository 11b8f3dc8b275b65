"""`describe`: the layers and parameters of a preset's decoder, without data and without weights."""

from argparse import Namespace

from captioner.commands import choices
from captioner.commands.report import print_json, print_table
from captioner.config import FIRST, VARIANTS, Preset
from captioner.config_io import changed
from captioner.errors import ConfigError
from captioner.presets import find_preset

FEATURES, REGIONS = 1280, 81  # of the encoder that comes with the program, which every preset looks through


def run(options: Namespace) -> int:
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


def _preset(options: Namespace) -> Preset:
    if options.variant not in VARIANTS:
        raise ConfigError(f"There is no variant '{options.variant}' to describe; choose one of {', '.join(VARIANTS)}.")
    if options.rows and options.rows < options.vocabulary:
        raise ConfigError(f"A table of {options.rows:,} rows is too small for {options.vocabulary:,} words; give more --rows.")
    return changed(find_preset(options.preset), FIRST, choices.settings(options, "embedding", "embedding_dimensions"))
