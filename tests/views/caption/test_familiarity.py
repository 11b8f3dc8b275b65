"""The gauge in words: every zone, a flat curve, no curve, and what is stranger than everything."""

from types import SimpleNamespace

import numpy as np
import pytest

from captioner.config import ADAPTED, LITE2
from captioner.scoring.familiarity import Judgement, Kind
from captioner.scoring.novelty_curve import BETTER, USUAL, WORSE, measure
from captioner.views.caption.familiarity import _EXPECTED, _since, describe, gauge
from captioner.views.caption.familiarity import FLAT as FLAT_CURVE
from support.factories import summary

PLACE = np.arange(100)
FALLING = measure({}, PLACE, {"learned": np.select([PLACE < 30, PLACE < 70], [0.9, 0.5], 0.1) + np.where(PLACE % 2, 0.15, -0.15)})
FLAT = measure({}, PLACE, {"learned": np.where(PLACE % 2, 0.4, 0.6)})
SUMMARY = summary()


def said(percentile: float, curve) -> str:
    return describe(SUMMARY, Judgement(percentile, Kind(("dog", "<grass>"), 12)), curve)


@pytest.mark.parametrize("percentile, zone", [(3, BETTER), (50, USUAL), (93, WORSE)])
def test_each_zone_has_its_prediction_and_only_a_strange_photograph_has_no_near_kind(percentile, zone):
    told = said(percentile, FALLING)
    assert told.startswith(f"**{_EXPECTED[zone]}**") and f" {percentile} " in told
    assert told.endswith("the 20 it learned from: dog, \\<grass\\> (12 photographs).") == (zone != WORSE)


def test_the_prediction_shows_its_evidence():
    told, zone = said(93, FALLING), FALLING.zones[WORSE]
    assert f"{zone.photographs} strangest" in told and f" {zone.cider['mean'].value:.2f} in CIDEr, on all 100 0.50." in told
    # Pairs across the levels, 1,200 and 900 and 1,200, all fall; of those inside them 210, 380 and 210: 4,100 of 4,950.
    assert "83 times of 100" in told and "CIDEr" not in said(50, FALLING)


def test_without_a_usable_curve_there_is_no_prediction():
    assert said(93, FLAT).startswith(f"**{_EXPECTED[FLAT_CURVE]}**") and "rank correlation" in said(93, FLAT)
    assert " 93 " in said(93, None) and not any("expect" in said(93, curve) for curve in (FLAT, None))


def test_beyond_all_photographs_the_captions_are_guesses():
    for curve in (FALLING, None):
        assert "guesses" in said(100, curve) and "Nearest" not in said(100, curve)


def test_the_gauge_darkens_where_the_zones_begin():
    judged = Judgement(93.4, Kind((), 1))
    assert 'style="--usual:30%;--worse:70%;"' in gauge(judged, FALLING) and 'aria-valuenow="93"' in gauge(judged, FALLING)
    assert 'style=""' in gauge(judged, FLAT) and 'style=""' in gauge(judged, None)
    meeting = measure({}, PLACE, {"learned": 0.9 - 0.8 * PLACE / 99})
    assert set(meeting.zones) == {"better", "worse"} and 'style="--usual:50%;--worse:50%;"' in gauge(judged, meeting)


def test_a_fine_tuned_network_is_not_said_to_be_unchanged():
    said = [_since(SimpleNamespace(captioner=SimpleNamespace(encoder=SimpleNamespace(name=name)))) for name in (LITE2, ADAPTED)]
    assert ["not changed" in one for one in said] == [True, False]
