"""`describe`: the layers and parameters of a preset's decoder, without data or trained weights."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from captioner.commands import arguments, choices
from captioner.commands.report import print_json, print_table
from captioner.config import FIRST, VARIANTS, Preset, Variant, find_row
from captioner.config_io import changed
from captioner.errors import ConfigError
from captioner.presets import PRESETS, find_preset

if TYPE_CHECKING:
    from captioner.model.decoder import Decoder

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
    layers = _layers(_decoder(changed(find_preset(request.preset), FIRST, settings), variant, request))
    totals = {name: sum(layer[name] for layer in layers) for name in _COUNTS}
    if request.json:
        print_json(totals | {"layers": layers})
        return 0
    rows = [(layer["name"], layer) for layer in layers] + [("total", totals)]
    print_table({title: {name: f"{row[name]:,}" for name in _COUNTS} for title, row in rows})
    return 0


def _decoder(preset: Preset, variant: Variant, request: Request) -> "Decoder":
    from captioner.runtime import start_tensorflow

    start_tensorflow()
    import numpy as np

    from captioner.model.decoder import Decoder

    vectors = np.zeros((request.rows or request.vocabulary, preset.decoder.embedding_dimensions), np.float32)
    sizes = {"regions": request.regions, "words": request.vocabulary}
    return Decoder(preset.decoder, vectors, request.features, variant.frozen, **sizes)


def _layers(decoder: "Decoder") -> list[dict[str, Any]]:
    """Each layer with its parameters, the trainable ones among them, and the shapes of its weights."""
    trainable = {id(variable) for variable in decoder.trainable_variables}
    layers: dict[str, dict[str, Any]] = {}
    for variable in decoder.weights:
        name, _, weight = variable.path.removeprefix("decoder/").partition("/")
        layer = layers.setdefault(name, {"name": name, "parameters": 0, "trainable": 0, "weights": {}})
        size = int(variable.shape.num_elements())
        layer["parameters"] += size
        layer["trainable"] += size if id(variable) in trainable else 0
        layer["weights"][weight or name] = list(variable.shape)
    return list(layers.values())
