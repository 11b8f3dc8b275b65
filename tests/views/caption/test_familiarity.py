"""The gauge in words: every zone, a flat curve, no curve, and what is stranger than everything."""

from types import SimpleNamespace

import numpy as np
import pytest

from captioner.scoring.familiarity import Judgement, Kind
from captioner.scoring.novelty_curve import measure
from captioner.views.caption.familiarity import _since, gauge, tell
from captioner.vision.encoder import ADAPTED, LITE2
from support.factories import summary

PLACE = np.arange(100)
FALLING = measure({}, PLACE, {"learned": np.select([PLACE < 30, PLACE < 70], [0.9, 0.5], 0.1) + np.where(PLACE % 2, 0.15, -0.15)})
FLAT = measure({}, PLACE, {"learned": np.where(PLACE % 2, 0.4, 0.6)})
SUMMARY = summary()


def said(percentile: float, curve) -> str:
    return tell(SUMMARY, Judgement(percentile, Kind(("dog", "<grass>"), 12)), curve)


@pytest.mark.parametrize(
    "percentile, start",
    [(3, "**Like much of what it learned from"), (50, "**Neither familiar nor strange"), (93, "**Stranger than most")],
)
def test_the_words_are_those_of_the_zone(percentile, start):
    told = said(percentile, FALLING)
    assert told.startswith(start) and f"Of 100 photographs held out of training {percentile} are less strange." in told
    kind = "Nearest kind among the 20 it learned from: dog, \\<grass\\> (12 photographs)."
    assert told.endswith(kind) == (percentile < 90) and ("Nearest kind" in told) == (percentile < 90)


def test_at_the_ends_the_words_show_what_they_rest_on():
    zone = FALLING.zones["worse"]
    told = f"On the {zone.photographs} strangest of them captions score {zone.cider['mean'].value:.2f} in CIDEr, on all 100 0.50."
    assert told in said(93, FALLING)
    # Pairs across the levels, 1,200 and 900 and 1,200, all fall; of those inside them 210, 380 and 210: 4,100 of 4,950.
    assert "the worse captions 83 times of 100" in said(93, FALLING)
    assert "CIDEr" not in said(50, FALLING)


def test_where_the_curve_is_flat_nothing_is_expected_of_it():
    told = said(93, FLAT)
    assert told.startswith("**How strange it is says hardly anything about its captions.**")
    assert "On 100 of them the rank correlation of strangeness with CIDEr is" in told and "expect" not in told


def test_without_a_curve_only_the_place_is_told():
    assert said(93, None).startswith("Of 100 photographs held out of training 93 are less strange. Nearest kind")


def test_what_is_stranger_than_everything_is_like_no_kind():
    assert "Nearest" not in said(100, FALLING) and said(100, None).startswith("**Stranger than every photograph held out")


def test_the_gauge_darkens_where_the_zones_begin():
    judged = Judgement(93.4, Kind((), 1))
    assert 'style="--usual:30%;--worse:70%;"' in gauge(judged, FALLING) and 'aria-valuenow="93"' in gauge(judged, FALLING)
    assert 'style=""' in gauge(judged, FLAT) and 'style=""' in gauge(judged, None)
    meeting = measure({}, PLACE, {"learned": 0.9 - 0.8 * PLACE / 99})
    assert set(meeting.zones) == {"better", "worse"} and 'style="--usual:50%;--worse:50%;"' in gauge(judged, meeting)


def test_what_was_trained_on_is_not_said_to_be_as_it_was():
    said = [_since(SimpleNamespace(captioner=SimpleNamespace(encoder=SimpleNamespace(name=name)))) for name in (LITE2, ADAPTED)]
    assert said[0] == "and was not changed since" and said[1].startswith("and was trained on with captions since")
