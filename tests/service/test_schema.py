"""The service over a real socket against its OpenAPI document.

Schemathesis generates requests, with wrong methods and missing or malformed parts among them, and checks every answer.
"""

from dataclasses import replace

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some
from schemathesis.specs.openapi.checks import positive_data_acceptance

from captioner.captioning.captioner import Captioner
from captioner.config import SearchConfig
from captioner.service.app import create_app
from captioner.service.engine import Engine
from captioner.vocabulary import tokenize
from support.fakes import Recogniser, slotted_checkpoints
from support.serving import files, photograph, ready

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
TOLD = described().include(path="/v1/captions", method="POST")


@pytest.fixture(scope="module")
def free(load):
    with ready(load) as served:
        yield served.address


@pytest.fixture(scope="module")
def kept(load):
    with ready(load, keys=[KEY]) as served:
        yield served.address


@pytest.fixture(scope="module")
def slotted():
    """All three decoders, with two word slots."""
    two = slotted_checkpoints()
    captioner = Captioner(Recogniser(), two | {"fasttext": replace(two["word2vec"], variant="fasttext")})
    with ready(lambda: Engine(captioner, SearchConfig(beam=2))) as served:
        yield served.address


def fit(words, slots):
    """Whether words can be told to decoders with so many slots; an empty one leaves out the CNN's nouns."""
    found = [tokenize(word) for word in words if word.strip()]
    return not words or (slots > 0 and all(len(one) == 1 for one in found) and len({one[0] for one in found}) <= slots)


def answers(case, address, slots, **more):
    """Call it. No schema excludes a beam below the number of captions or words that fit no slot: these are refused."""
    query = case.query or {}
    beam, top = (str(query.get(name)) for name in ("beam", "top"))
    told = query.get("tell") or []
    words = [str(word) for word in (told if isinstance(told, list) else [told])]
    refused = not fit(words, slots) or (beam.isdecimal() and top.isdecimal() and int(beam) < int(top))
    answer = case.call(base_url=address, **more)
    case.validate_response(answer, excluded_checks=[positive_data_acceptance] if refused else [])
    assert not (refused and answer.status_code == 200)


@FREE.parametrize()
@FEW
def test_it_answers_as_it_says(case, free):
    answers(case, free, slots=0)


@TOLD.parametrize()
@FEW
def test_decoders_with_word_slots_answer_as_it_says(case, slotted):
    answers(case, slotted, slots=2)


@given(some.lists(some.sampled_from(["dog", "Zebra", "sloth", "zebra ", "", " ", "a dog", "42"]), min_size=1, max_size=4))
@FEW
def test_words_are_told_or_refused(free, slotted, words):
    for address, slots, refusal in ((free, 0, "no word slots"), (slotted, 2, "slot")):
        answer = requests.post(address + "/v1/captions", params={"tell": words}, files=files(photograph()), timeout=60)
        if fit(words, slots):
            assert answer.status_code == 200 and answer.json()[0]["told"] == words
        else:
            assert answer.status_code == 422 and refusal in answer.json()["detail"]


@KEPT.parametrize()
@settings(FEW, max_examples=5)
def test_it_answers_as_it_says_to_those_with_a_key_alone(case, kept):
    answers(case, kept, slots=0, headers={"X-API-Key": KEY, "Authorization": f"Bearer {KEY}"})
