"""The decoders that ship caption the same pictures as they did when they were put there, one by one and together."""

import json

import pytest

from captioner.captioning.captioner import Captioner
from captioner.captioning.search_settings import load_search_config
from captioner.config import SHIPPED
from captioner.model.stage_folders import stages_in
from support.pins import PINS, pictures

STORED = json.loads(PINS.read_text(encoding="utf-8"))


def test_every_stage_that_ships_is_pinned():
    assert set(STORED) == set(stages_in(SHIPPED)) and all(sum(map(len, pins.values())) > 30 for pins in STORED.values())


@pytest.mark.slow
@pytest.mark.parametrize("stage", STORED)
def test_captions_are_those_that_were_pinned(stage):
    """Their probabilities may differ as much as another machine's rounding makes them."""
    captioner, config, drawn = Captioner.load(SHIPPED / stage), load_search_config(SHIPPED / stage), pictures()
    names = list(STORED[stage])
    together = captioner.caption([drawn[name] for name in names], config)
    for name, several in zip(names, together, strict=True):
        alone = captioner.caption([drawn[name]], config)[0]
        for found in (alone, several):
            for variant, (text, value) in STORED[stage][name].items():
                best = found[variant][0]
                assert (best.text, best.log_probability) == (text, pytest.approx(value, abs=1e-2)), (name, variant)
