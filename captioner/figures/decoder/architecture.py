"""The layers from a photograph to the next word, with shapes and parameters, from a checkpoint's settings and weights.

Drawing is left to `captioner.figures.decoder.diagram`.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from captioner.config import ADAPTED, LITE2, DecoderConfig, Variant, find_variant
from captioner.errors import EncoderError
from captioner.model.blueprint import BLOCKS, NORM, TABLE_WEIGHT, Part, parts
from captioner.model.checkpoints import Checkpoint, EncoderMark
from captioner.vision import efficientnet_lite2
from captioner.vision.keras_networks import ENCODERS, input_size

TRAINED, FROZEN, NOTHING = "trained", "frozen", "nothing to learn"

_STATISTICS = "statistics"  # of the batch normalisation, told apart from its weights
_ADAPTED = ", then trained on once, with decoders of all three kinds, and frozen for good"
# The name and the role of each layer.
_TEXTS = {
    _STATISTICS: (
        "Mean and variance",
        "The running mean and variance of each of these numbers over photographs; counted in training, not trained.",
    ),
    NORM: ("Normalisation", "Brings each of these numbers to a common scale by its mean and variance (batch normalisation)."),
    "start": ("First state", "What the LSTM says and remembers before the first word, made from the whole photograph."),
    TABLE_WEIGHT: ("Word vectors", "The word before becomes a vector: its row of a table of {words:,} words."),
    "lstm": ("LSTM", "Reads the sentence word by word; its state carries what was read so far."),
    "query": ("Query", "What the LSTM wants to see next, as a vector."),
    "attention": (
        "Attention",
        "Compares the query with all {regions} regions, {heads} ways at once (heads), and mixes those that fit.",
    ),
    "sum": ("Sum", "Adds the photograph's numbers to what the LSTM says."),
    "hidden": ("Hidden layer", "Puts together what is said and seen; numbers below zero become zero (ReLU)."),
    "words": ("Softmax", "Gives every word a score, and turns the scores into probabilities that sum to one."),
}
_ADDITIVE_TEXTS = {
    "keys": ("Keys", "What every region is compared by."),
    "query": ("Query", "What the LSTM wants to see next, as a vector; made from what it said last."),
    "energy": (
        "Fit",
        "How well each region fits: the sum of key and query through a hyperbolic tangent, weighed and added up.",
    ),
    "attention": ("Attention", "Mixes the {regions} regions, those most that fit best."),
    "context": ("Into the gates", "Turns the mixture into what it adds to the LSTM’s gates, beside the word."),
}
_SLOT_TEXTS = {
    "slot": ("Word slots", "Reads the {slots} strongest nouns of the CNN’s own classifier: word vectors and probabilities."),
    "attention": ("Attention", "Mixes the regions ({regions}) and word slots ({slots}) that fit the query, in {heads} heads."),
    "copy": ("Copying", "How likely the next word is a copy from each slot, or from none."),
    "words": ("Softmax", "Gives every word a probability; the chance of copying a slot’s word is added to that word."),
}
_COPYING = ("slot_key", "slot_bias", "copy_query", "copy_gate")  # the parts of the layer "copy"


@dataclass(frozen=True)
class Layer:
    """One box of the figure. `sources` are the keys of the layers it takes its numbers from; `sum` works out its parameters."""

    key: str
    name: str
    role: str
    shape: tuple[int, ...]
    sources: tuple[str, ...] = ()
    parameters: int | None = 0  # None where they are not in a file that is here
    sum: str = ""
    state: str = NOTHING


@dataclass(frozen=True)
class Column:
    """One decoder from the grid of features to the next word."""

    variant: Variant
    layers: tuple[Layer, ...]

    @property
    def parameters(self) -> int:
        return sum(layer.parameters for layer in self.layers)

    @property
    def trained(self) -> int:
        return sum(layer.parameters for layer in self.layers if layer.state == TRAINED)


@dataclass(frozen=True)
class Architecture:
    """What all decoders share, and the decoders side by side."""

    trunk: tuple[Layer, ...]
    columns: tuple[Column, ...]


def size(shape: tuple[int, ...]) -> str:
    """
    >>> size((9, 9, 1280)), size((512,))
    ('9 × 9 × 1,280', '512')
    """
    return " × ".join(f"{length:,}" for length in shape)


def read_architecture(checkpoints: Mapping[str, Checkpoint]) -> Architecture:
    first = next(iter(checkpoints.values()))
    columns = (Column(find_variant(name), tuple(_decoder(checkpoint))) for name, checkpoint in checkpoints.items())
    return Architecture(tuple(_trunk(first)), tuple(columns))


def _trunk(checkpoint: Checkpoint) -> Iterator[Layer]:
    mark = checkpoint.encoder
    if mark.name not in ENCODERS:
        raise EncoderError(f"There is no encoder '{mark.name}'; choose one of {', '.join(ENCODERS)}.")
    side = input_size(mark.name)
    role = "Squashed into a square; red, green and blue of every point."
    yield Layer("photograph", "Photograph", role, (side, side, 3))
    shape, regions = (mark.rows, mark.columns, mark.channels), mark.regions
    taught = "trained to name things" + (_ADAPTED if mark.name == ADAPTED else "")
    role = f"A network for pictures ({mark.name}), {taught}; it looks once, for all decoders."
    yield Layer("cnn", "CNN", role, shape, ("photograph",), _cnn_parameters(mark.name), "", FROZEN)
    role = f"What the CNN saw in each of {regions} regions of the photograph, {mark.channels:,} numbers a region."
    yield Layer("grid", "Grid", role, shape, ("cnn",))


def _cnn_parameters(name: str) -> int | None:
    return efficientnet_lite2.parameters() if name in (LITE2, ADAPTED) else None


def _decoder(checkpoint: Checkpoint) -> Iterator[Layer]:
    """The layers in the order in which they are drawn."""
    checkpoint.arrays()  # Refuses weights that do not fit the settings.
    config, rows = checkpoint.preset.decoder, len(checkpoint.table)
    frozen = {_STATISTICS, *([TABLE_WEIGHT] if find_variant(checkpoint.variant).frozen else [])}
    found = parts(config, checkpoint.encoder.channels, len(checkpoint.vocabulary))
    for key, sources in _flow(config, found).items():
        name, role = _text(key, checkpoint, found)
        count, arithmetic = _parameters(key, config, found, rows)
        state = FROZEN if key in frozen else TRAINED if count else NOTHING
        yield Layer(key, name, role, _shape(key, checkpoint, found), sources, count, arithmetic, state)


def _flow(config: DecoderConfig, found: Mapping[str, Part]) -> dict[str, tuple[str, ...]]:
    """The keys of the layers in the order in which they are drawn, each with the layers it takes its numbers from."""
    seen = NORM if NORM in found else "image"
    flow: dict[str, tuple[str, ...]] = {"image": ("grid",)}
    if NORM in found:
        flow |= {_STATISTICS: ("image",), NORM: (_STATISTICS,)}
    if "start_h0" in found:
        flow["start"] = (seen,)
    below = TABLE_WEIGHT
    flow |= {"slot": (TABLE_WEIGHT,)} if config.word_slots else {}
    flow[below] = ("words",)
    if config.additive:
        flow |= {"keys": (seen,), "query": ("start",), "energy": ("query", "keys"), "attention": ("energy", seen)}
        flow["context"] = ("attention",)
    for number in range(config.layers):
        # As a first word the photograph goes through the layers from below, as every word does.
        image = ("start",) if "start" in flow else (seen,) if config.image_is_word and number == 0 else ()
        context = ("context",) if config.additive and number == 0 else ()
        flow[f"lstm{number}"] = (below, *image, *context)
        below = f"lstm{number}"
    output: tuple[str, ...] = (below,)
    if config.attends:
        if not config.additive:
            flow |= {"query": output, "attention": ("query", seen, *(["slot"] if config.word_slots else []))}
        output = (below, "attention")
    elif config.adds_image:
        flow["sum"] = (below, seen)
        output = ("sum",)
    if "hidden" in found:
        flow["hidden"] = output
        output = ("hidden",)
    if config.word_slots:
        flow["copy"] = (*output, "slot")
        output = (*output, "copy")
    return flow | {"words": output}


def _text(key: str, checkpoint: Checkpoint, found: Mapping[str, Part]) -> tuple[str, str]:
    """Name and role."""
    config, mark = checkpoint.preset.decoder, checkpoint.encoder
    if key == "image":
        return "Projection", _projection(config, mark, found["image"])
    texts = _TEXTS | (_ADDITIVE_TEXTS if config.additive else {}) | (_SLOT_TEXTS if config.word_slots else {})
    name, role = texts["lstm" if key.startswith("lstm") else key]
    if key.startswith("lstm"):
        name += f" {int(key.removeprefix('lstm')) + 1}" * (config.layers > 1)
        role += " It calculates with ReLU in place of the hyperbolic tangent." * (found[key].activation == "relu")
    sizes = {"words": len(checkpoint.table), "regions": mark.regions, "heads": config.heads, "slots": config.word_slots}
    return name, role.format(**sizes)


def _projection(config: DecoderConfig, mark: EncoderMark, image: Part) -> str:
    if config.attends:
        return f"Turns the {mark.channels:,} numbers of every region into {image.outputs:,}."
    pooled = "the mean over all regions"
    if image.inputs > mark.channels:
        pooled = f"the means of {BLOCKS} blocks of regions, laid end to end,"
    use = ", which are added at every word" * config.adds_image
    use += ", which the LSTM reads like a first word" * config.image_is_word
    return f"Turns {pooled} into {image.outputs:,} numbers{use}."


def _shape(key: str, checkpoint: Checkpoint, found: Mapping[str, Part]) -> tuple[int, ...]:
    """The shape of what comes out."""
    config, regions = checkpoint.preset.decoder, checkpoint.encoder.regions
    if key in ("image", NORM, _STATISTICS):
        return (regions, found["image"].outputs) if config.attends else (found["image"].outputs,)
    others = {
        "start": (2 * config.layers, config.units),
        TABLE_WEIGHT: (config.embedding_dimensions,),
        "keys": (regions, config.image_units),
        "energy": (regions,),
        "attention": (config.image_units,),
        "sum": (config.units,),
        "slot": (config.word_slots, config.image_units),
        "copy": (config.word_slots + 1,),
        "words": (found["words"].outputs + config.word_slots,),
    }
    return others[key] if key in others else (found[key].outputs,)


def _parameters(key: str, config: DecoderConfig, found: Mapping[str, Part], rows: int) -> tuple[int, str]:
    """The number of parameters, and how they add up."""
    if key == TABLE_WEIGHT:
        return rows * config.embedding_dimensions, size((rows, config.embedding_dimensions))
    if key in (NORM, _STATISTICS):
        return 2 * found[NORM].outputs, f"2 × {found[NORM].outputs:,}"
    if key == "start":
        times, part = 2 * config.layers, found["start_h0"]
        return times * _count(part), f"{times} × {_arithmetic(part)}"
    if key == "context":
        return _count(found[key]), f"{config.image_units:,} × 4 × {config.units:,}"
    if key == "copy":
        own = [found[name] for name in _COPYING]
        return sum(map(_count, own)), " + ".join(map(_arithmetic, own))
    return (_count(found[key]), _arithmetic(found[key])) if key in found else (0, "")


def _count(part: Part) -> int:
    return sum(map(math.prod, part.shapes.values()))


def _arithmetic(part: Part) -> str:
    if part.kind == "lstm":
        return f"({part.inputs:,} + {part.outputs:,} + 1) × 4 × {part.outputs:,}"
    return f"({part.inputs:,} + 1) × {part.outputs:,}" if part.bias else f"{part.inputs:,} × {part.outputs:,}"
