"""Keeps what familiarity foretells beside the decoders, with the hashes of all that it was measured with.

Of other decoders, another summary of the training photographs or another search setting it says nothing, and is refused.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from captioner.config import VARIANTS
from captioner.errors import CheckpointError
from captioner.scoring import comparison
from captioner.scoring.comparison import finite
from captioner.scoring.evaluation import load_search_config
from captioner.scoring.familiarity import place
from captioner.scoring.novelty_curve import MEAN, ZONES, Curve, Estimate, Stretch
from captioner.storage import exists, read_bytes, read_json, write_json

CURVE = "familiarity.json"
_LARGEST_SUMMARY = 50_000_000


def subject(folder: Path, data: str, images: int) -> dict[str, Any]:
    """What a curve belongs to: the decoders of the folder with their own search setting, and the summary beside them."""
    config = load_search_config(folder)
    setting = {"images": images, "beam": config.beam, "length_preference": config.length_preference}
    variants = [name for name in VARIANTS if exists(folder / name)]
    summary = hashlib.sha256(read_bytes(place(folder), _LARGEST_SUMMARY)).hexdigest()
    return comparison.subject(folder, data, setting, variants) | {"familiarity": summary}


def to_json(curve: Curve) -> dict[str, Any]:
    """As plain data, the way it is stored and printed."""
    return {
        **curve.of,
        "correlation": {name: found._asdict() for name, found in curve.correlation.items()},
        "stranger_is_worse": curve.stranger_is_worse,
        "whole": _stretch_to_json(curve.whole),
        "zones": {name: _stretch_to_json(zone) for name, zone in curve.zones.items()},
        "bins": [_stretch_to_json(one) for one in curve.bins],
    }


def save_curve(folder: Path, curve: Curve) -> None:
    write_json(Path(folder) / CURVE, to_json(curve))


def load_curve(folder: Path) -> Curve | None:
    """The curve of exactly these decoders; None where it was never measured."""
    path = Path(folder) / CURVE
    if not path.is_file():
        return None
    data = read_json(path)
    try:
        found = _from_json(data)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise CheckpointError(f"The file {CURVE} is damaged; python -m captioner familiar makes it anew.") from error
    if found.of != subject(folder, found.of["data"], found.of["images"]):
        raise CheckpointError(
            f"The file {CURVE} is of other decoders, another summary or another search setting than those beside it; "
            "python -m captioner familiar makes it anew."
        )
    return found


def _stretch_to_json(stretch: Stretch) -> dict[str, Any]:
    return asdict(stretch) | {"cider": {name: found._asdict() for name, found in stretch.cider.items()}}


def _from_json(data: Mapping[str, Any]) -> Curve:
    curve = Curve(
        of={key: data[key] for key in ("data", "images", "beam", "length_preference", "decoders", "familiarity")},
        whole=_stretch(data["whole"]),
        bins=tuple(map(_stretch, data["bins"])),
        zones={name: _stretch(data["zones"][name]) for name in ZONES if name in data["zones"]},
        correlation=_estimates(data["correlation"]),
        stranger_is_worse=finite(data["stranger_is_worse"]),
    )
    _check(curve)
    return curve


def _check(curve: Curve) -> None:
    """The bins, and the zones too, follow upon each other from 0 to 100, and all are of the same decoders."""
    names = {*curve.of["decoders"], MEAN}
    for row in (curve.bins, list(curve.zones.values()), [curve.whole]):
        starts, ends = [one.start for one in row], [one.end for one in row]
        if [*starts, 100.0] != [0.0, *ends] or not all(one.start < one.end and set(one.cider) == names for one in row):
            raise ValueError
    if set(curve.correlation) != names or not names <= {*VARIANTS, MEAN}:
        raise ValueError


def _stretch(data: Mapping[str, Any]) -> Stretch:
    count = data["photographs"]
    if type(count) is not int or count < 1:
        raise ValueError
    return Stretch(finite(data["start"]), finite(data["end"]), count, _estimates(data["cider"]))


def _estimates(data: Mapping[str, Any]) -> dict[str, Estimate]:
    return {name: Estimate(**{end: finite(value) for end, value in found.items()}) for name, found in data.items()}
