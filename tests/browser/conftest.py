"""The app with the small decoders of the tests, and visitors to it of whom every request and every error is known.

Without Chromium the tests in this folder are skipped; with TRIPTYCH_BROWSER=required they fail instead.
"""

import importlib.util
import os
from collections.abc import Callable, Iterator

import pytest

from browsing import Visit, browser, find_chromium, started


def need(present: object, what: str) -> None:
    """Skip, or fail where the browser tests are required, when something is missing."""
    if not present:
        (pytest.fail if os.environ.get("TRIPTYCH_BROWSER") == "required" else pytest.skip)(f"{what} is not installed")


@pytest.fixture(scope="session")
def executable() -> str:
    """Where the system's own browser is."""
    need(importlib.util.find_spec("playwright"), "The package playwright")
    found = find_chromium()
    need(found, "Chromium")
    return found


@pytest.fixture(scope="module")
def chromium(executable) -> Iterator:
    """A browser for the tests of a file."""
    with browser(executable) as opened:
        yield opened


@pytest.fixture(scope="session")
def address(executable, tiny_run) -> Iterator[str]:
    """Where the app answers: one process for all tests."""
    with started(tiny_run) as app:
        yield app.address


@pytest.fixture
def visitor(chromium, address) -> Iterator[Callable[..., Visit]]:
    """Makes visitors, each with a fresh browser profile; whatever a test looks at, nothing may have asked elsewhere or failed."""
    visits = []

    def arrive(**profile) -> Visit:
        visits.append(Visit(chromium.new_context(**profile).new_page(), address))
        return visits[-1]

    yield arrive
    for visit in visits:
        visit.page.context.close()
    assert not [problem for visit in visits for problem in visit.problems()]


@pytest.fixture(params=[{}], ids=[""])
def visit(visitor, request) -> Visit:
    """One visitor."""
    return visitor(**request.param)
