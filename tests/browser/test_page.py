"""The page as a visitor has it, in a real Chromium: what is read, what is refused, and that nothing leaves this machine."""

from io import BytesIO

import pytest
from PIL import Image

from captioner.config import VARIANTS
from captioner.samples import SAMPLES

PHONE = {"viewport": {"width": 390, "height": 844}}
DARK = {"color_scheme": "dark"}
CARDS = ".sentence"
CHART = "[data-testid=stVegaLiteChart] .marks"
_UPLOAD = "input[type=file]"


def photograph(tint: str) -> bytes:
    grey = Image.linear_gradient("L").resize((640, 480)).convert("RGB")
    file = BytesIO()
    Image.blend(grey, Image.new("RGB", grey.size, tint), 0.5).save(file, "JPEG")
    return file.getvalue()


def upload(page, name: str, data: bytes) -> None:
    page.locator(_UPLOAD).set_input_files({"name": name, "mimeType": "image/jpeg", "buffer": data})


def wait_for_captions(page, description: str) -> list[str]:
    """The three sentences under the photograph that is described so."""
    page.locator(f'.st-key-photograph img[alt="{description}"]').wait_for()
    page.wait_for_function("document.querySelectorAll('[data-stale=true]').length === 0")
    page.locator(CARDS).nth(len(VARIANTS) - 1).wait_for()
    return page.locator(CARDS).all_inner_texts()


def scrolls_sideways(page) -> bool:
    main = page.locator("[data-testid=stMain]")
    return main.evaluate("main => Math.max(main.scrollWidth, document.documentElement.scrollWidth) > window.innerWidth")


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
    sentences = wait_for_captions(page, SAMPLES[0].description)
    assert len(sentences) == len(VARIANTS) and all(sentences)
    assert page.title() == "Triptych" and page.locator("html").get_attribute("lang") == "en"
    assert page.locator(".rule").first.bounding_box()["height"] == 4


def test_the_first_page_has_an_address_of_its_own_too(visit):
    page = visit.open("caption").page
    wait_for_captions(page, SAMPLES[0].description)
    assert page.get_by_role("dialog").count() == 0


def test_an_uploaded_jpeg_gets_three_captions(visit):
    page = visit.open().page
    wait_for_captions(page, SAMPLES[0].description)
    upload(page, "mine.jpg", photograph("teal"))
    assert len(wait_for_captions(page, "Your photograph mine.jpg.")) == len(VARIANTS)


def test_a_sample_has_a_button(visit):
    page = visit.open().page
    page.get_by_role("button", name=SAMPLES[1].title, exact=True).click()
    assert len(wait_for_captions(page, SAMPLES[1].description)) == len(VARIANTS)


def test_a_text_file_named_jpg_is_refused_and_a_photograph_after_it_is_not(visit):
    page = visit.open().page
    wait_for_captions(page, SAMPLES[0].description)
    upload(page, "<img src=x>notes.jpg", b"These are words, not a photograph.")
    refusal = page.get_by_role("alert")
    refusal.wait_for()
    assert refusal.inner_text().startswith("'<img src=x>notes.jpg' is not a JPEG, PNG, WebP, GIF, BMP or AVIF picture")
    page.locator(CARDS).first.wait_for(state="detached")
    upload(page, "good.jpg", photograph("olive"))
    assert len(wait_for_captions(page, "Your photograph good.jpg.")) == len(VARIANTS)
    assert refusal.count() == 0


def test_an_upload_outlives_a_visit_to_the_other_page(visit):
    page = visit.open().page
    upload(page, "kept.jpg", photograph("brown"))
    wait_for_captions(page, "Your photograph kept.jpg.")
    page.get_by_role("link", name="Curves").click()
    page.locator(CHART).wait_for()
    page.get_by_role("link", name="Caption").click()
    wait_for_captions(page, "Your photograph kept.jpg.")


def test_the_settings_are_in_the_address(visit):
    page = visit.open("?beam=1").page
    wait_for_captions(page, SAMPLES[0].description)
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
def test_a_phone_stacks_the_captions_and_never_scrolls_sideways(visit):
    page = visit.open().page
    wait_for_captions(page, SAMPLES[0].description)
    assert not scrolls_sideways(page)
    boxes = [page.locator(f".st-key-card-{name}").bounding_box() for name in VARIANTS]
    assert boxes[0]["y"] < boxes[1]["y"] < boxes[2]["y"]


@pytest.mark.parametrize(("visit", "dark"), [({}, False), (DARK, True)], ids=["light", "dark"], indirect=["visit"])
def test_each_theme_can_be_read(visit, dark):
    page = visit.open().page
    wait_for_captions(page, SAMPLES[0].description)
    assert (sum(background(page)) < 3 * 64) == dark
    for selector in (".sentence", ".origin", ".strip small", "[data-testid=stCaptionContainer] p", "h1"):
        assert contrast(page, selector) >= 4.5, selector


def test_the_three_captions_stand_side_by_side_and_in_view(visit):
    page = visit.page
    page.set_viewport_size({"width": 1280, "height": 720})
    visit.open()
    wait_for_captions(page, SAMPLES[0].description)
    boxes = [page.locator(CARDS).nth(place).bounding_box() for place in range(len(VARIANTS))]
    assert boxes[0]["x"] < boxes[1]["x"] < boxes[2]["x"]
    assert all(box["y"] + box["height"] <= 720 for box in boxes)
