"""The choice of a stage of training in a real browser: it goes from page to page with the visitor and stands in the address."""

from urllib.parse import parse_qs, urlsplit

import pytest

from browsing import chosen, quiet, started, violations, visiting
from support.fakes import write_stages


@pytest.fixture
def visit(chromium, tiny_run, tmp_path):
    staged = write_stages(tiny_run, tmp_path / "staged")
    with started(staged) as app, visiting(chromium, app.address) as visit:
        yield visit


def stage(page) -> list[str]:
    return parse_qs(urlsplit(page.url).query).get("stage", [])


def test_the_choice_follows_the_visitor(visit):
    page = visit.read("words").page
    assert chosen(page, "stage") == "Reward" and stage(page) == [] and not violations(page)
    page.locator(".st-key-stage").get_by_text("First stage").click()
    page.wait_for_url("**/words?stage=first")
    page.get_by_role("link", name="Curves").click()
    page.get_by_role("link", name="Scores").click()
    page.wait_for_url("**/scores?stage=first")
    quiet(page)
    assert chosen(page, "stage") == "First stage"
    page.locator(".st-key-stage").get_by_text("Reward").click()
    page.wait_for_url("**/scores")
    assert chosen(visit.read("words?stage=first").page, "stage") == "First stage"
