"""The service held against its own description over a real socket: what it allows is answered as it says, the rest refused.

Schemathesis makes up the requests, wrong methods, missing and malformed parts among them, and checks every answer.
"""

import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from hypothesis import strategies as some

from captioner.captioning.captioner import Captioner
from captioner.config import SearchConfig
from captioner.service.app import create_app
from captioner.service.engine import Engine
from support.serving import photograph, serving, wait

KEY = "a-key-that-is-long-enough"
FEW = settings(max_examples=25, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
# What is no picture is no fault of the form that it comes in; tests of the service itself send such files.
schemathesis.openapi.format("binary", some.sampled_from([photograph(0), photograph(1, "JPEG"), photograph(2, "WEBP")]))


@pytest.fixture(scope="module")
def load(tiny_run, encoder):
    captioner = Captioner.load(tiny_run, encoder=encoder)
    return lambda: Engine(captioner, SearchConfig(beam=2))


def described(*keys):
    """What a service says of itself, before it has loaded anything."""
    return schemathesis.openapi.from_dict(create_app(lambda: None, keys).openapi())


FREE, KEPT = described(), described(KEY).include(path_regex="^/v1/")


@pytest.fixture(scope="module")
def free(load):
    with serving(load) as served:
        wait(lambda: served.get("/ready").ok)
        yield served.address


@pytest.fixture(scope="module")
def kept(load):
    with serving(load, keys=[KEY]) as served:
        wait(lambda: served.get("/ready").ok)
        yield served.address


def narrow(case):
    """More captions asked for than the beam gives: no schema can say that of two numbers."""
    beam, top = (str((case.query or {}).get(name)) for name in ("beam", "top"))
    return beam.isdecimal() and top.isdecimal() and int(beam) < int(top)


@FREE.parametrize()
@FEW
def test_it_answers_as_it_says(case, free):
    if not narrow(case):
        case.call_and_validate(base_url=free)


@KEPT.parametrize()
@settings(FEW, max_examples=5)
def test_it_answers_as_it_says_to_those_with_a_key_alone(case, kept):
    if not narrow(case):
        case.call_and_validate(base_url=kept, headers={"X-API-Key": KEY, "Authorization": f"Bearer {KEY}"})
