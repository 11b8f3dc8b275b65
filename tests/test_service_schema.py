"""The service held against its own description over a real socket: what it allows is answered as it says, the rest refused.

Schemathesis makes up the requests, wrong methods, missing and malformed parts among them, and checks every answer.
"""

import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from hypothesis import strategies as some
from serving import photograph, serving, wait

from captioner.captioning import Captioner
from captioner.config import SearchConfig
from captioner.service.engine import Engine

KEY = "a-key-that-is-long-enough"
FEW = settings(max_examples=25, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
# What is no picture is no fault of the form that it comes in; tests of the service itself send such files.
schemathesis.openapi.format("binary", some.sampled_from([photograph(0), photograph(1, "JPEG"), photograph(2, "WEBP")]))


@pytest.fixture(scope="module")
def load(tiny_run, encoder):
    captioner = Captioner.load(tiny_run, encoder=encoder)
    return lambda timed: Engine(captioner, SearchConfig(beam=2), timed=timed)


def described(load, keys=()):
    """The description of a running service."""
    with serving(load, keys=keys) as served:
        wait(lambda: served.get("/ready").ok)
        yield schemathesis.openapi.from_url(served.address + "/openapi.json")


@pytest.fixture(scope="module")
def free(load):
    yield from described(load)


@pytest.fixture(scope="module")
def kept(load):
    yield from described(load, [KEY])


def narrow(case):
    """More captions asked for than the beam gives: no schema can say that of two numbers."""
    beam, top = case.query.get("beam"), case.query.get("top")
    return isinstance(beam, int) and isinstance(top, int) and beam < top


@schemathesis.pytest.from_fixture("free").parametrize()
@FEW
def test_it_answers_as_it_says(case):
    if not narrow(case):
        case.call_and_validate()


@schemathesis.pytest.from_fixture("kept").include(path_regex="^/v1/").parametrize()
@settings(FEW, max_examples=5)
def test_it_answers_as_it_says_to_those_with_a_key_alone(case):
    if not narrow(case):
        case.call_and_validate(headers={"X-API-Key": KEY})
