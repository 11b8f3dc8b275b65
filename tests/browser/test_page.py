"""The pages as a visitor has them, in a real Chromium: what is read, on which screens, and that nothing leaves this machine."""

import pytest

from browsing import CARDS, CHART, DARK, PAGES, PHONE, chosen, quiet, scrolls_sideways, wait_for_captions
from captioner.config import VARIANTS


def test_the_page_opens_with_a_photograph_and_three_captions(visit):
    page = visit.open().page
    sentences = wait_for_captions(page)
    assert len(sentences) == len(VARIANTS) and all(sentences)
    assert page.title() == "Triptych" and page.locator("html").get_attribute("lang") == "en"
    assert page.locator(".rule").first.bounding_box()["height"] == 4


@pytest.mark.parametrize("visit", [PHONE], ids=[""], indirect=True)
def test_a_phone_stacks_the_captions_and_no_page_scrolls_sideways(visit):
    assert not [path for path in PAGES if scrolls_sideways(visit.read(path).page)]
    wait_for_captions(visit.open().page)
    boxes = [visit.page.locator(f".st-key-card-{name}").bounding_box() for name in VARIANTS]
    assert boxes[0]["y"] < boxes[1]["y"] < boxes[2]["y"]


@pytest.mark.parametrize(("visit", "dark"), [({}, False), (DARK, True)], ids=["light", "dark"], indirect=["visit"])
def test_the_page_follows_the_theme_of_the_system(page, dark):
    colour = page.locator("[data-testid=stApp]").evaluate("app => getComputedStyle(app).backgroundColor")
    assert (sum(map(int, colour.removeprefix("rgb(").removesuffix(")").split(","))) < 3 * 64) == dark


def test_the_three_captions_stand_side_by_side_and_in_view(visit):
    page = visit.page
    page.set_viewport_size({"width": 1280, "height": 720})
    visit.open()
    wait_for_captions(page)
    boxes = [page.locator(CARDS).nth(place).bounding_box() for place in range(len(VARIANTS))]
    assert boxes[0]["x"] < boxes[1]["x"] < boxes[2]["x"]
    assert all(box["y"] + box["height"] <= 720 for box in boxes)


def test_the_search_unfolds_into_a_figure_and_a_table(visit):
    page = visit.read("caption").page
    for folded, drawn in (("Its search", f".st-key-tree {CHART}"), ("The search as a table", "[data-testid=stDataFrame]")):
        page.get_by_text(folded).click()
        page.locator(drawn).first.wait_for()
    assert len(wait_for_captions(page)) == len(VARIANTS)


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
