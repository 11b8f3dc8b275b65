"""What a photograph goes through, layer by layer: shapes from a checkpoint's settings, parameters counted in its files.

Needs no TensorFlow, so that it is there at once. Drawing it is left to `captioner.figures.decoder.diagram`.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from captioner.config import DecoderConfig, Variant, find_variant
from captioner.errors import CheckpointError, EncoderError
from captioner.model.checkpoints import TABLE_WEIGHT, Checkpoint
from captioner.model.region_blocks import BLOCKS
from captioner.vision import efficientnet_lite2
from captioner.vision.encoder import ADAPTED, ENCODERS, LITE2, input_size

TRAINED, FROZEN, NOTHING = "trained", "frozen", "nothing to learn"

NORM, STATISTICS = "image_norm", "image_statistics"
_KEYS = {f"{NORM}/{part}": STATISTICS for part in ("mean", "variance")}  # of weights that are told apart from their layer's
_OTHERWISE = {STATISTICS: FROZEN}
_ADAPTED = ", then trained on once, with decoders of all three kinds, and frozen for good"


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
    shape, regions = (mark.rows, mark.columns, mark.channels), mark.rows * mark.columns
    taught = "trained to name things" + (_ADAPTED if mark.name == ADAPTED else "")
    role = f"A network for pictures ({mark.name}), {taught}; it looks once, for all decoders."
    yield Layer("cnn", "CNN", role, shape, ("photograph",), _cnn_parameters(mark.name), "", FROZEN)
    role = f"What the CNN saw in each of {regions} regions of the photograph, {mark.channels:,} numbers a region."
    yield Layer("grid", "Grid", role, shape, ("cnn",))


def _cnn_parameters(name: str) -> int | None:
    """Kernels, and a bias for each channel, into which its batch normalisation is folded; the classifier is not used."""
    if name not in (LITE2, ADAPTED):
        return None
    tensors = efficientnet_lite2.read_weights()
    used = {key: array for key, array in tensors.items() if not key.startswith("_fc.")}
    return sum(array.size for key, array in used.items() if array.ndim == 4 or key.endswith(".bias"))


def _decoder(checkpoint: Checkpoint) -> Iterator[Layer]:
    """The layers in the order in which they are drawn, with the parameters that the files hold."""
    state = FROZEN if find_variant(checkpoint.variant).frozen else TRAINED
    counted = {TABLE_WEIGHT: checkpoint.table.vectors.size}
    for path, array in checkpoint.weights.items():
        key = _KEYS.get(path, "start" if path.startswith("start_") else path.partition("/")[0])
        counted[key] = counted.get(key, 0) + array.size
    planned = tuple(_plan(checkpoint))
    odd = sorted(set(counted) ^ {layer.key for layer in planned if layer.sum})
    if odd:
        raise CheckpointError(
            f"The weights of {checkpoint.variant} do not fit its settings: '{odd[0]}' is on one side only; copy it again."
        )
    for layer in planned:
        learns = NOTHING if not layer.sum else state if layer.key == TABLE_WEIGHT else _OTHERWISE.get(layer.key, TRAINED)
        yield replace(layer, parameters=counted.get(layer.key, 0), state=learns)


def _plan(checkpoint: Checkpoint) -> Iterator[Layer]:
    config, words = checkpoint.preset.decoder, len(checkpoint.vocabulary)
    yield from _plan_image(checkpoint)
    role = f"The word before becomes a vector: its row of a table of {words:,} words."
    shape = (config.embedding_dimensions,)
    yield Layer(TABLE_WEIGHT, "Word vectors", role, shape, ("words",), sum=size((words, *shape)))
    if config.additive:
        yield from _plan_look_before(checkpoint)
    yield from _plan_lstm(config)
    said, width = f"lstm{config.layers - 1}", config.units
    before: tuple[str, ...] = (said,)
    if config.image_entry == "attention":
        if not config.additive:
            yield from _plan_attention(checkpoint, said)
        before, width = (said, "attention"), config.units + config.image_units
    elif config.image_entry == "merge":
        yield Layer("sum", "Sum", "Adds the photograph's numbers to what the LSTM says.", (width,), (said, _seen(config)))
        before = ("sum",)
    if config.hidden_units:
        role = "Puts together what is said and seen; numbers below zero become zero (ReLU)."
        yield Layer("hidden", "Hidden layer", role, (config.hidden_units,), before, sum=_dense(width, config.hidden_units))
        before, width = ("hidden",), config.hidden_units
    role = "Gives every word a score, and turns the scores into probabilities that sum to one."
    yield Layer("words", "Softmax", role, (words,), before, sum=_dense(width, words))


def _plan_image(checkpoint: Checkpoint) -> Iterator[Layer]:
    config, mark = checkpoint.preset.decoder, checkpoint.encoder
    width = config.embedding_dimensions if config.image_entry == "pre" else config.image_units
    regions, whole = mark.rows * mark.columns, "the mean over all regions"
    shape: tuple[int, ...] = (width,)
    if config.image_entry == "attention":
        shape = (regions, width)
    inputs = mark.channels
    if config.pooling == "blocks":
        inputs, whole = BLOCKS * mark.channels, f"the means of {BLOCKS} blocks of regions, laid end to end,"
    role = {
        "attention": f"Turns the {mark.channels:,} numbers of every region into {width:,}.",
        "merge": f"Turns {whole} into {width:,} numbers, which are added at every word.",
        "init": f"Turns {whole} into {width:,} numbers.",
        "pre": f"Turns {whole} into {width:,} numbers, which the LSTM reads like a first word.",
    }[config.image_entry]
    yield Layer("image", "Projection", role, shape, ("grid",), sum=_dense(inputs, width))
    if config.image_norm == "batch":
        role = "The running mean and variance of each of these numbers over photographs; counted in training, not trained."
        yield Layer(STATISTICS, "Mean and variance", role, shape, ("image",), sum=f"2 × {width:,}")
        role = "Brings each of these numbers to a common scale by its mean and variance (batch normalisation)."
        yield Layer(NORM, "Normalisation", role, shape, (STATISTICS,), sum=f"2 × {width:,}")
    if config.image_entry in ("attention", "init"):
        parts = 2 * config.layers
        role = "What the LSTM says and remembers before the first word, made from the whole photograph."
        arithmetic = f"{parts} × {_dense(config.image_units, config.units)}"
        yield Layer("start", "First state", role, (parts, config.units), (_seen(config),), sum=arithmetic)


def _seen(config: DecoderConfig) -> str:
    """The layer whose numbers stand for the photograph."""
    return NORM if config.image_norm == "batch" else "image"


def _plan_lstm(config: DecoderConfig) -> Iterator[Layer]:
    first = {"attention": "start", "init": "start", "pre": _seen(config), "merge": ""}[config.image_entry]
    width, below = config.embedding_dimensions, TABLE_WEIGHT
    for number in range(config.layers):
        name = "LSTM" if config.layers == 1 else f"LSTM {number + 1}"
        # As a first word the photograph goes through the layers from below, as every word does.
        sources = (below, first) if first == "start" or (first and number == 0) else (below,)
        sources += ("context",) if config.additive and number == 0 else ()
        role = "Reads the sentence word by word; its state carries what was read so far."
        role += " It calculates with ReLU in place of the hyperbolic tangent." if config.activation == "relu" else ""
        arithmetic = f"({width:,} + {config.units:,} + 1) × 4 × {config.units:,}"
        yield Layer(f"lstm{number}", name, role, (config.units,), sources, sum=arithmetic)
        width, below = config.units, f"lstm{number}"


def _plan_attention(checkpoint: Checkpoint, said: str) -> Iterator[Layer]:
    config, regions = checkpoint.preset.decoder, checkpoint.encoder.rows * checkpoint.encoder.columns
    role = "What the LSTM wants to see next, as a vector."
    yield Layer("query", "Query", role, (config.image_units,), (said,), sum=_dense(config.units, config.image_units))
    role = f"Compares the query with all {regions} regions, {config.heads} ways at once (heads), and mixes those that fit."
    yield Layer("attention", "Attention", role, (config.image_units,), ("query", _seen(config)))


def _plan_look_before(checkpoint: Checkpoint) -> Iterator[Layer]:
    """Additive attention, which looks before the LSTM reads the word."""
    config, regions = checkpoint.preset.decoder, checkpoint.encoder.rows * checkpoint.encoder.columns
    units, width, seen = config.units, config.image_units, _seen(config)
    role = "What every region is compared by."
    yield Layer("keys", "Keys", role, (regions, width), (seen,), sum=f"{width:,} × {width:,}")
    role = "What the LSTM wants to see next, as a vector; made from what it said last."
    yield Layer("query", "Query", role, (width,), ("start",), sum=_dense(units, width))
    role = "How well each region fits: the sum of key and query through a hyperbolic tangent, weighed and added up."
    yield Layer("energy", "Fit", role, (regions,), ("query", "keys"), sum=f"{width:,} × 1")
    role = f"Mixes the {regions} regions, those most that fit best."
    yield Layer("attention", "Attention", role, (width,), ("energy", seen))
    role = "Turns the mixture into what it adds to the LSTM’s gates, beside the word."
    yield Layer("context", "Into the gates", role, (4 * units,), ("attention",), sum=f"{width:,} × 4 × {units:,}")


def _dense(inputs: int, outputs: int) -> str:
    return f"({inputs:,} + 1) × {outputs:,}"
