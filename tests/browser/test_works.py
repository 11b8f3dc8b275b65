"""The page How it works in a real browser: the drawing stands before the decoders are loaded, and a step follows the keyboard."""

import pytest

from browsing import DARK, PHONE, scrolls_sideways

STATION = ".station"
NOW = ".walk [aria-current=step]"


def visible_drawings(page) -> list[str]:
    drawings = page.locator(".architecture svg")
    return [drawing.get_attribute("class") for drawing in drawings.all() if drawing.is_visible()]


DRAWN = [({}, "wide"), (DARK, "wide"), (PHONE, "narrow")]


@pytest.mark.parametrize(("visit", "drawn"), DRAWN, ids=["wide", "dark", "phone"], indirect=["visit"])
def test_one_drawing_in_the_colour_of_the_text_and_nothing_scrolls_sideways(visit, drawn):
    page = visit.open("how-it-works").page
    shown = "[...document.querySelectorAll('.architecture svg')].filter(svg => svg.checkVisibility())"
    page.wait_for_function(f"{shown}.length === 1")  # Both are there until the style is.
    assert visible_drawings(page) == [drawn]
    colours = "svg => [getComputedStyle(svg.querySelector('text')).fill, getComputedStyle(document.querySelector('h1')).color]"
    fill, heading = page.locator(f".architecture .{drawn}").evaluate(colours)
    assert fill == heading
    page.locator(STATION).last.wait_for()
    assert not scrolls_sideways(page)


def test_a_step_is_chosen_by_keyboard_and_stands_in_the_address(visit):
    page = visit.open("how-it-works?photo=Cat&decoder=FastText&step=2").page
    page.locator(STATION).last.wait_for()
    assert page.get_by_role("alert").count() == 0
    word = page.locator(NOW).inner_text()
    page.locator("[data-testid=stSlider]").get_by_role("slider").focus()
    page.keyboard.press("ArrowRight")
    page.get_by_text(f"The word before is “{word}”").wait_for()
    page.wait_for_url("**step=3*", timeout=20_000)


def test_a_part_too_wide_for_a_phone_scrolls_in_its_own_box_and_by_keyboard(visit):
    page = visit.page
    page.set_viewport_size(PHONE["viewport"])
    visit.open("how-it-works")
    box = page.locator(f"{STATION} .scroll").first
    box.wait_for()
    box.focus()
    page.keyboard.press("ArrowRight")
    page.wait_for_function("box => box.scrollLeft > 0", arg=box.element_handle())
