"""Captions of generated pictures by the shipped decoders; python tests/support/pins.py records them again.

They show how a change of code or of a library changes captions; new decoders need new pins.
"""

import json
import sys
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

ROOT = Path(__file__).resolve().parents[2]
PINS = Path(__file__).with_suffix(".json")
_LEAST_LEAD = 0.002  # of the best caption's score, a hundred times the rounding between machines
_SIDE, _SCENES, _COASTS = 260, 10, 6


def pictures() -> dict[str, np.ndarray]:
    """Shapes on a plain background, and coasts: sky, sea, sand and an animal."""
    from captioner.data import shapes
    from captioner.data.images import read

    found = {f"shapes {number}": read(shapes.scene(f"pin {number}", _SIDE).read(), "shapes.png") for number in range(_SCENES)}
    return found | {f"coast {number}": _coast(number) for number in range(_COASTS)}


def _coast(number: int) -> np.ndarray:
    random = np.random.default_rng(number)
    horizon, shore = (int(share * _SIDE) for share in (random.uniform(0.25, 0.45), random.uniform(0.5, 0.7)))
    picture = Image.new("RGB", (_SIDE, _SIDE), (140, 190, 235))
    canvas = ImageDraw.Draw(picture)
    canvas.rectangle((0, horizon, _SIDE, shore), fill=(40, 90, 150))
    canvas.rectangle((0, shore, _SIDE, _SIDE), fill=(215, 195, 150))
    x, y, length = int(random.uniform(60, 200)), shore + 30, int(random.uniform(20, 50))
    coat = tuple(int(value) for value in random.integers(0, 120, 3))
    canvas.ellipse((x - length, y - length // 2, x + length, y + length // 2), fill=coat)
    for leg in (-length + 6, -length // 2, length // 2, length - 6):
        canvas.rectangle((x + leg - 3, y, x + leg + 3, y + length), fill=coat)
    canvas.ellipse((x + length - 8, y - length, x + length + length // 2, y - length // 4), fill=coat)
    return np.asarray(picture)


def write() -> dict:
    """By shipped stage, the captions that lead clearly, with their log-probabilities."""
    from captioner.captioning.captioner import Captioner
    from captioner.captioning.search_settings import load_search_config
    from captioner.config import SHIPPED
    from captioner.model.stage_folders import stages_in

    drawn, pins = pictures(), {}
    for stage in stages_in(SHIPPED):
        captioner, config = Captioner.load(SHIPPED / stage), load_search_config(SHIPPED / stage)
        pins[stage] = {}
        for name, picture in drawn.items():
            found = captioner.caption([picture], config)[0]
            pins[stage][name] = {
                variant: [best.text, best.log_probability]
                for variant, (best, second, *_) in found.items()
                if _score(best, config) - _score(second, config) >= _LEAST_LEAD
            }
    return pins


def _score(caption, config) -> float:
    return caption.log_probability / (len(caption.words) + 1) ** config.length_preference


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    PINS.write_text(json.dumps(write(), indent=1) + "\n", encoding="utf-8")
    print(PINS.name)
