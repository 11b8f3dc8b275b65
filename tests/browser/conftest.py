"""The app with the small decoders of the tests, and visitors to it of whom every request and every error is known.

Without Chromium the tests in this folder are skipped; with TRIPTYCH_BROWSER=required they fail instead.
"""

import importlib.util
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from browsing import Visit, browser, find_chromium, started, visiting, wait_for_captions


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
    """Makes visitors, each with a fresh browser profile."""
    with ExitStack() as visits:
        yield lambda **profile: visits.enter_context(visiting(chromium, address, **profile))


@pytest.fixture(params=[{}], ids=[""])
def visit(visitor, request) -> Visit:
    """One visitor."""
    return visitor(**request.param)


@pytest.fixture
def page(visit):
    """The first page, with the captions of its first sample."""
    wait_for_captions(visit.open().page)
    return visit.page
