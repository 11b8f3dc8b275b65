"""The pages as a visitor has them, in a real Chromium: what is read, on which screens, and that nothing leaves this machine."""

import csv
import json
from pathlib import Path

import pytest

from browsing import CARDS, CHART, DARK, PAGES, PHONE, chosen, quiet, scrolls_sideways, wait_for_captions
from captioner.config import VARIANTS


def background(page) -> list[int]:
    colour = page.locator("[data-testid=stApp]").evaluate("app => getComputedStyle(app).backgroundColor")
    return [int(part) for part in colour.removeprefix("rgb(").removesuffix(")").split(",")]


def contrast(page, selector: str) -> float:
    """WCAG contrast of an element's text on the page's background, its opacity included."""
    colour, opacity = page.locator(selector).first.evaluate("e => [getComputedStyle(e).color, +getComputedStyle(e).opacity]")
    channels = [float(part) for part in colour[colour.index("(") + 1 : -1].split(",")]
    opacity *= channels[3] if len(channels) > 3 else 1
    behind = background(page)
    shades = [[opacity * front + (1 - opacity) * back for front, back in zip(channels, behind, strict=False)], behind]
    light, dark = sorted((_luminance(shade) for shade in shades), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def _luminance(shade: list[float]) -> float:
    linear = [part / 255 / 12.92 if part <= 10 else ((part / 255 + 0.055) / 1.055) ** 2.4 for part in shade]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_the_page_opens_with_a_photograph_and_three_captions(visit):
    page = visit.open().page
    sentences = wait_for_captions(page)
    assert len(sentences) == len(VARIANTS) and all(sentences)
    assert page.title() == "Triptych" and page.locator("html").get_attribute("lang") == "en"
    assert page.locator(".rule").first.bounding_box()["height"] == 4


def test_the_first_page_has_an_address_of_its_own_too(visit):
    page = visit.open("caption").page
    wait_for_captions(page)
    assert page.get_by_role("dialog").count() == 0


def test_the_settings_are_in_the_address(visit):
    page = visit.open("?beam=1").page
    wait_for_captions(page)
    assert page.get_by_text("beam 1 · length").count() == 1 and page.get_by_text("more caption").count() == 0


@pytest.mark.parametrize("visit", [{}, PHONE, DARK], ids=["wide", "phone", "dark"], indirect=True)
def test_curves_open_by_their_address(visit):
    page = visit.open("curves").page
    page.locator(CHART).wait_for()
    assert page.locator(".decoder").all_inner_texts() == [variant.title for variant in VARIANTS.values()]
    assert not scrolls_sideways(page)
    page.get_by_text("The same as a table").click()
    page.locator("[data-testid=stDataFrame] canvas").first.wait_for()


@pytest.mark.parametrize("visit", [PHONE, PHONE | DARK], ids=["light", "dark"], indirect=True)
def test_a_phone_stacks_the_captions_and_never_scrolls_sideways(page):
    assert not scrolls_sideways(page)
    boxes = [page.locator(f".st-key-card-{name}").bounding_box() for name in VARIANTS]
    assert boxes[0]["y"] < boxes[1]["y"] < boxes[2]["y"]


@pytest.mark.parametrize(("visit", "dark"), [({}, False), (DARK, True)], ids=["light", "dark"], indirect=["visit"])
def test_each_theme_can_be_read(page, dark):
    assert (sum(background(page)) < 3 * 64) == dark
    for selector in (".sentence", ".origin", ".st-key-at button p", "[data-testid=stCaptionContainer] p", "h1"):
        assert contrast(page, selector) >= 4.5, selector


def test_the_three_captions_stand_side_by_side_and_in_view(visit):
    page = visit.page
    page.set_viewport_size({"width": 1280, "height": 720})
    visit.open()
    wait_for_captions(page)
    boxes = [page.locator(CARDS).nth(place).bounding_box() for place in range(len(VARIANTS))]
    assert boxes[0]["x"] < boxes[1]["x"] < boxes[2]["x"]
    assert all(box["y"] + box["height"] <= 720 for box in boxes)


@pytest.mark.parametrize("visit", [PHONE], ids=[""], indirect=True)
def test_no_page_scrolls_sideways_on_a_phone(visit):
    assert not [path for path in PAGES if scrolls_sideways(visit.read(path).page)]


def test_the_losses_can_be_kept_as_they_were_written_down(visit, tiny_run):
    page = visit.read("curves").page
    with page.expect_download() as download:
        page.get_by_role("button", name="Losses as CSV").click()
    with Path(download.value.path()).open(newline="", encoding="utf-8") as file:
        rows = [(row["decoder"], int(row["epoch"]), float(row["dev_loss"])) for row in csv.DictReader(file)]
    histories = {name: json.loads((tiny_run / name / "history.json").read_text()) for name in VARIANTS}
    assert rows == [(name, one["epoch"], one["dev_loss"]) for name, history in histories.items() for one in history["epochs"]]


def test_a_word_that_was_chosen_outlives_a_visit_to_another_page(visit):
    page = visit.read("caption").page
    last = page.locator(".st-key-at button").last
    word = last.inner_text()
    last.click()
    page.wait_for_url("**at=*")
    page.get_by_role("link", name="Curves").click()
    page.locator(".st-key-controls").wait_for()
    page.get_by_role("link", name="Caption").click()
    page.locator(".st-key-at button").last.wait_for()
    assert chosen(page, "at") == word


def test_no_page_is_disturbed_by_what_was_chosen_on_another(visit):
    page = visit.read("caption?at=2&why=FastText&beam=1").page
    for title, path in (("Words", "words"), ("How it works", "how-it-works"), ("Scores", "scores"), ("Curves", "curves")):
        page.get_by_role("link", name=title).click()
        page.locator(PAGES[path]).last.wait_for()
        quiet(page)
        assert page.get_by_test_id("stException").count() == 0, title
        page.get_by_role("link", name="Caption").click()
        wait_for_captions(page)
