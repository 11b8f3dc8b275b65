"""Every way by which a photograph comes to the page in a real browser: chosen, pasted, taken, several at once, and refused."""

import csv
from pathlib import Path

import pytest

from browsing import DARK, PHONE, caption_upload, photograph, scrolls_sideways, upload, wait_for_captions
from captioner.config import VARIANTS
from captioner.data.images import MAXIMUM_BYTES

TITLES = [variant.title for variant in VARIANTS.values()]
_COPY = """async () => {
    const canvas = new OffscreenCanvas(320, 240), pen = canvas.getContext('2d');
    pen.fillStyle = 'tomato';
    pen.fillRect(80, 60, 160, 120);
    await navigator.clipboard.write([new ClipboardItem({'image/png': await canvas.convertToBlob()})]);
}"""


@pytest.mark.parametrize("visit", [{"permissions": ["clipboard-read", "clipboard-write"]}], ids=[""], indirect=True)
def test_a_picture_can_be_pasted(page):
    page.evaluate(_COPY)
    page.keyboard.press("Control+V")
    assert len(wait_for_captions(page, "Your photograph image.png.")) == len(VARIANTS)


@pytest.mark.parametrize("visit", [{"permissions": ["camera"]}], ids=[""], indirect=True)
def test_a_photograph_can_be_taken(page):
    page.get_by_role("button", name="Take a photograph").click()
    page.wait_for_function("document.querySelector('[data-testid=stCameraInput] video')?.videoWidth > 0")
    page.get_by_test_id("stCameraInputButton").click()
    assert len(wait_for_captions(page, "Your photograph from your camera.")) == len(VARIANTS)


def test_a_text_file_named_jpg_is_refused_and_a_photograph_after_it_is_not(page):
    upload(page, ("<img src=x>notes.jpg", b"These are words, not a photograph."))
    refusal = page.get_by_role("alert")
    refusal.wait_for()
    assert refusal.inner_text().startswith("'<img src=x>notes.jpg' is not a JPEG, PNG, WebP, GIF, BMP or AVIF picture")
    page.locator("[class*=st-key-card-]").first.wait_for(state="detached")
    assert len(caption_upload(page, "good.jpg", photograph("olive"))) == len(VARIANTS)
    assert refusal.count() == 0


def test_a_file_of_11_mb_is_refused_and_a_photograph_after_it_is_not(page):
    upload(page, ("large.jpg", photograph("navy") + bytes(MAXIMUM_BYTES + (1 << 20))))
    page.get_by_text("File must be 10.0MB or smaller.").wait_for()
    assert len(wait_for_captions(page)) == len(VARIANTS)
    assert len(caption_upload(page, "small.jpg", photograph("navy"))) == len(VARIANTS)


def test_an_upload_outlives_a_visit_to_every_other_page(page):
    said = caption_upload(page, "kept.jpg", photograph("brown"))
    for title in ("Curves", "Words", "Scores", "How it works"):
        page.get_by_role("link", name=title).click()
        page.wait_for_function("document.querySelectorAll('.st-key-photograph').length === 0")
    page.get_by_role("link", name="Caption").click()
    assert wait_for_captions(page, "Your photograph kept.jpg.") == said


@pytest.mark.parametrize("visit", [{}, PHONE | DARK], ids=["wide", "dark phone"], indirect=True)
def test_several_pictures_are_a_table_that_can_be_kept(page):
    upload(page, ("one.jpg", photograph("teal")), ("two.jpg", b"no picture"), ("three.jpg", photograph("gold")))
    page.get_by_role("heading", name="3 pictures").wait_for()
    said = wait_for_captions(page, "Your photograph one.jpg.")
    with page.expect_download() as download:
        page.get_by_role("button", name="Download CSV").click()
    assert download.value.suggested_filename == "captions.csv"
    with Path(download.value.path()).open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [row["image"] for row in rows] == ["one.jpg", "two.jpg", "three.jpg"]
    assert [rows[0][title] for title in TITLES] == said and not rows[0]["problem"]
    assert "is not a JPEG" in rows[1]["problem"] and all(rows[2][title] for title in TITLES)
    assert not scrolls_sideways(page)
