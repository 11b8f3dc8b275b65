"""The service over a real socket against its OpenAPI document.

Schemathesis generates requests, with wrong methods and missing or malformed parts among them, and checks every answer.
"""

import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from hypothesis import strategies as some

from captioner.captioning.captioner import Captioner
from captioner.config import SearchConfig
from captioner.service.app import create_app
from captioner.service.engine import Engine
from support.serving import photograph, ready

pytestmark = pytest.mark.slow
KEY = "a-key-that-is-long-enough"
FEW = settings(max_examples=25, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
# Only pictures: no schema can describe them. Tests of the service itself send other files.
schemathesis.openapi.format("binary", some.sampled_from([photograph(0), photograph(1, "JPEG"), photograph(2, "WEBP")]))


@pytest.fixture(scope="module")
def load(tiny_run, encoder):
    captioner = Captioner.load(tiny_run, encoder=encoder)
    return lambda: Engine(captioner, SearchConfig(beam=2))


def described(*keys):
    """The OpenAPI document, for which nothing is loaded."""
    return schemathesis.openapi.from_dict(create_app(lambda: None, keys).openapi())


FREE, KEPT = described(), described(KEY).include(path_regex="^/v1/")


@pytest.fixture(scope="module")
def free(load):
    with ready(load) as served:
        yield served.address


@pytest.fixture(scope="module")
def kept(load):
    with ready(load, keys=[KEY]) as served:
        yield served.address


def contradictory(case):
    """Whether a request has a beam below the number of captions, or `tell` for decoders without slots; no schema excludes it."""
    query = case.query or {}
    beam, top = (str(query.get(name)) for name in ("beam", "top"))
    return "tell" in query or (beam.isdecimal() and top.isdecimal() and int(beam) < int(top))


@FREE.parametrize()
@FEW
def test_it_answers_as_it_says(case, free):
    if not contradictory(case):
        case.call_and_validate(base_url=free)


@KEPT.parametrize()
@settings(FEW, max_examples=5)
def test_it_answers_as_it_says_to_those_with_a_key_alone(case, kept):
    if not contradictory(case):
        case.call_and_validate(base_url=kept, headers={"X-API-Key": KEY, "Authorization": f"Bearer {KEY}"})
