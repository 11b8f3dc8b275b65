"""`export-encoder`: a CNN as the file that captions are made with, by LiteRT and without TensorFlow."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from captioner.commands import arguments, choices
from captioner.commands.report import note, print_json
from captioner.config import ADAPTED, FLOAT16, INT8, PRECISIONS
from captioner.errors import ConfigError, EncoderError, ImageError
from captioner.storage import exists, load_folder, read_bytes, save_folder

if TYPE_CHECKING:
    import numpy as np

    from captioner.data.datasets import Record

SUMMARY = "export a CNN to the file that captions are made with"
CALIBRATION, COMPARED = 200, 100  # photographs
_HISTORY, _LARGEST = "history.json", 1 << 20


@dataclass(frozen=True, kw_only=True)
class Request(arguments.Request):
    description = (
        "Export a CNN to the file that captions are made with, without TensorFlow, and measure how well the two agree. The "
        "folder --out gets encoder.tflite (the network) and encoder.json (its facts). Fine-tuning and training export theirs; "
        "this is for another precision. Decoders accept only the encoder that they were trained with."
    )
    encoder: str = arguments.option(
        f"name of the CNN; the weights of {ADAPTED} are read from --out (default: {ADAPTED})", "NAME", default=ADAPTED
    )
    encoder_weights: Path | None = arguments.encoder_weights()
    precision: str = arguments.option(
        f"of the weights; with {INT8} the arithmetic is in integers, too (default: {FLOAT16})",
        choices=PRECISIONS,
        default=FLOAT16,
    )
    data: str | None = arguments.data(
        "; its dev photographs are compared, and its train photographs set int8's ranges", required=False
    )
    out: Path = arguments.path(
        f"folder that is written; for {ADAPTED} the one that adapt wrote, whose other files stay", required=True
    )


def run(request: Request) -> int:
    from captioner.vision.encoder_export import export
    from captioner.vision.encoders import samples
    from captioner.vision.keras_networks import build, find_encoder

    name = find_encoder(request.encoder)
    if request.precision == INT8 and not request.data:
        raise ConfigError(f"The precision {INT8} needs photographs that set the ranges of its integers. Add --data.")
    if name == ADAPTED and request.encoder_weights:
        raise ConfigError(f"The weights of {ADAPTED} are in --out. Leave out --encoder-weights.")
    others = _others(name, request.out)
    network = build(name, request.encoder_weights, request.out)
    data = choices.dataset([request.data]) if request.data else None
    compared = _pictures(data.split("dev"), network.size, COMPARED) if data else samples(network.size)
    calibration = _pictures(data.split("train"), network.size, CALIBRATION) if data and request.precision == INT8 else ()
    encoder = export(network, compared, request.precision, calibration)
    history = request.out / _HISTORY
    save_folder(request.out, others | encoder.files(), {_HISTORY: read_bytes(history, _LARGEST)} if history.is_file() else {})
    facts = asdict(encoder.facts)
    if request.json:
        print_json(facts)
    else:
        print(f"{name} in {request.precision} is in {request.out} ({len(encoder.network) / 1e6:.1f} MB, {encoder.fingerprint}).")
        print("Agreement with the Keras network:")
        for key, value in facts["agreement"].items():
            print(f"  {key.replace('_', ' ')}: {value:g}")
    return 0


def _others(name: str, out: Path) -> dict[str, bytes]:
    """The files that are in the folder already; refuse one that does not hold this encoder."""
    from captioner.vision.encoder import FACTS
    from captioner.vision.keras_networks import ADAPTED_WEIGHTS

    files = load_folder(out) if exists(out) else {}
    if name == ADAPTED and ADAPTED_WEIGHTS not in files:
        raise EncoderError(
            f"{out} does not hold the weights of {ADAPTED}; give the folder that adapt wrote, or another --encoder."
        )
    if name != ADAPTED and (ADAPTED_WEIGHTS in files or (out.exists() and any(out.iterdir()) and FACTS not in files)):
        raise EncoderError(f"{out} holds other files, which would be lost; give another --out.")
    return files


def _pictures(records: "tuple[Record, ...]", size: int, most: int) -> "np.ndarray":
    """Some of these photographs, evenly spaced, as an encoder takes them; prints a note about each unreadable one."""
    import numpy as np

    from captioner.data.images import read, resize

    pictures = []
    for place in np.linspace(0, len(records) - 1, min(most, len(records))):
        record = records[round(place)]
        try:
            pictures.append(resize(read(record.read(), record.name), size))
        except ImageError as error:
            note(f"Left out: {error}")
    if not pictures:
        raise ConfigError("None of the photographs for the export can be read; check the image files.")
    return np.stack(pictures)
