"""`describe`: the layers and parameters of a preset's decoder, without data or trained weights."""

from dataclasses import dataclass
from typing import Any

from captioner.commands import arguments, choices
from captioner.commands.report import print_json, print_table
from captioner.config import FIRST, VARIANTS, DecoderConfig, Variant, find_row
from captioner.config_io import changed
from captioner.errors import ConfigError
from captioner.presets import PRESETS, find_preset

FEATURES, REGIONS = 1280, 81  # of the shipped CNN, which every preset uses
SUMMARY = "count the parameters of a preset's decoder by layer, without data or weights"
_COUNTS = ("parameters", "trainable")
_WORDS, _SIZES = arguments.number(int, 1, 1_000_000), arguments.number(int, 1, 10_000)


@dataclass(frozen=True, kw_only=True)
class Request(arguments.Request):
    preset: str = arguments.option(f"{', '.join(PRESETS)} (default: triptych)", "NAME", default="triptych")
    variant: str = arguments.option(f"{', '.join(VARIANTS)} (default: learned)", "NAME", default="learned")
    vocabulary: int = arguments.option("number of words that the decoder scores", "N", type=_WORDS, required=True)
    rows: int | None = arguments.option(
        "rows of the embedding table, if it has more than the vocabulary (default: as many)", "N", type=_WORDS
    )
    features: int = arguments.option(
        f"features per region of the photograph (default: {FEATURES})", "N", type=_SIZES, default=FEATURES
    )
    regions: int = arguments.option(f"regions of the photograph (default: {REGIONS})", "N", type=_SIZES, default=REGIONS)
    embedding: int | None = arguments.option("embedding dimensions", "N", type=arguments.number(int, 1, 8192))
    settings: list[tuple[str, str]] = arguments.settings("layers=2")


def run(request: Request) -> int:
    variant: Variant = find_row(VARIANTS, request.variant, "variant")
    if request.rows and request.rows < request.vocabulary:
        raise ConfigError(f"A table of {request.rows:,} rows is too small for {request.vocabulary:,} words. Increase --rows.")
    settings = choices.settings(request.settings, "--embedding", "embedding_dimensions", request.embedding)
    layers = _layers(changed(find_preset(request.preset), FIRST, settings).decoder, variant, request)
    totals = {name: sum(layer[name] for layer in layers) for name in _COUNTS}
    if request.json:
        print_json(totals | {"layers": layers})
        return 0
    rows = [(layer["name"], layer) for layer in layers] + [("total", totals)]
    print_table({title: {name: f"{row[name]:,}" for name in _COUNTS} for title, row in rows})
    return 0


def _layers(config: DecoderConfig, variant: Variant, request: Request) -> list[dict[str, Any]]:
    """Each layer with its parameters, the trainable ones among them, and the shapes of its weights."""
    from captioner.model.blueprint import TABLE_WEIGHT, block_means, count_parameters, parts, weight_shapes

    block_means(config, request.regions)  # Refuses a grid that the decoder cannot take.
    shapes = {TABLE_WEIGHT: (request.rows or request.vocabulary, config.embedding_dimensions)}
    shapes |= weight_shapes(parts(config, request.features, request.vocabulary))
    layers: dict[str, dict[str, Any]] = {}
    for path, shape in shapes.items():
        name, _, weight = path.removeprefix("decoder/").partition("/")
        counted = count_parameters({path: shape}, variant.frozen)
        layer = layers.setdefault(name, {"name": name, "parameters": 0, "trainable": 0, "weights": {}})
        layer["parameters"] += counted.trainable + counted.frozen
        layer["trainable"] += counted.trainable
        layer["weights"][weight or name] = list(shape)
    return list(layers.values())
