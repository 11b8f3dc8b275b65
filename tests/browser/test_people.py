"""Four visits: a grader, a teacher at a projector, somebody with a keyboard alone, and two students at once."""

import pytest

from browsing import CARDS, PAGES, chosen, quiet, scrolls_sideways, upload, visiting, wait_for_captions
from captioner.captioning.caption import Caption
from captioner.captioning.captioner import Captioner
from captioner.captioning.search_settings import load_search_config
from captioner.config import VARIANTS
from captioner.data.datasets import shapes
from captioner.data.images import read
from captioner.data.samples import SAMPLES
from captioner.views.cards import odds

PROJECTOR = {"viewport": {"width": 640, "height": 360}, "device_scale_factor": 2}  # 1280x720 at 200%
_NO_WORD = "(no word at all)"


def on_caption(page) -> list:
    described = page.locator(".st-key-photograph img").get_attribute("alt")
    words = page.locator(".st-key-at [role=radio]").all()
    places = [place for place, word in enumerate(words, 1) if word.get_attribute("aria-checked") == "true"]
    return [described, chosen(page, "why"), places, page.get_by_text("beam 1 ·").count()]


def on_curves(page) -> list:
    switches = [page.get_by_role("switch", name=name).is_checked() for name in ("Log axis", "Course project")]
    return [chosen(page, "axis"), *switches]


def on_words(page) -> list:
    return [page.get_by_label("A word", exact=True).input_value(), page.locator(".st-key-near-learned button").count()]


def on_scores(page) -> list:
    return [chosen(page, "split"), page.get_by_role("heading", level=1).inner_text()]


def on_works(page) -> list:
    return [chosen(page, "photo"), chosen(page, "decoder"), page.get_by_role("slider").input_value()]


CAPTION_LINK = "caption?sample=coffee&why=FastText&at=2&beam=1"
LINKS = [
    ("", on_caption, None),
    (CAPTION_LINK.removeprefix("caption"), on_caption, [SAMPLES[-1].description, "FastText", [2], 1]),
    (CAPTION_LINK, on_caption, [SAMPLES[-1].description, "FastText", [2], 1]),
    ("curves", on_curves, ["epochs", False, False]),
    ("curves?axis=minutes&log=true", on_curves, ["minutes", True, False]),
    ("words?word=circle&k=3", on_words, ["circle", 3]),
    ("scores", on_scores, ["test", "How well the three decoders caption"]),
    ("scores?split=dev", on_scores, ["dev", "How well the three decoders caption"]),
    ("how-it-works", on_works, [SAMPLES[0].title, "Learned", "2"]),
    ("how-it-works?photo=Cat&decoder=FastText&step=1", on_works, ["Cat", "FastText", "1"]),
]


@pytest.fixture(scope="module")
def grader(chromium, address):
    """One visitor who opens one address after another."""
    with visiting(chromium, address) as visit:
        yield visit


@pytest.mark.parametrize(("link", "look", "expected"), LINKS, ids=[link or "root" for link, *_ in LINKS])
def test_a_grader_finds_at_every_address_what_it_promises_and_again_after_a_reload(grader, link, look, expected):
    page = grader.read(link).page
    found = look(page)
    assert found == expected or (expected is None and found[0] == SAMPLES[0].description)
    page.reload()
    page.locator(PAGES[link.partition("?")[0] or "caption"]).last.wait_for()
    quiet(page)
    assert look(page) == found
    assert page.get_by_role("dialog").count() == 0 and page.get_by_test_id("stException").count() == 0


_HIDDEN = """() => [...document.querySelectorAll('[data-testid=stMain] :is(a, button, input, summary, [data-testid=stSlider])')]
    .filter(element => element.checkVisibility() && !['file', 'range'].includes(element.type) && !element.closest('.vega-embed'))
    .filter(element => {
        element.scrollIntoView({block: 'center', inline: 'center', behavior: 'instant'});
        const box = element.getBoundingClientRect();
        return box.width && (box.left < -1 || box.right > innerWidth + 1 || box.bottom < 0 || box.top > innerHeight);
    }).map(element => element.outerHTML.slice(0, 120))"""


@pytest.mark.parametrize("visit", [PROJECTOR], ids=[""], indirect=True)
def test_a_teacher_at_a_projector_reaches_everything(visit):
    for path in PAGES:
        page = visit.read(path).page
        assert not scrolls_sideways(page), path
        assert not page.evaluate(_HIDDEN), path
    visit.read("caption")
    sizes = "cards => cards.map(card => parseFloat(getComputedStyle(card).fontSize))"
    root = page.evaluate("parseFloat(getComputedStyle(document.documentElement).fontSize)")
    assert min(page.locator(CARDS).evaluate_all(sizes)) >= 1.4 * root
    page.get_by_test_id("stExpandSidebarButton").click()
    page.get_by_role("link", name="How it works").click()
    page.locator(PAGES["how-it-works"]).last.wait_for()


# Whether what has the focus, or what it lies in, looks otherwise than without; null if it was drawn anew meanwhile.
_FOCUS_SEEN = """async () => {
    const focused = document.activeElement;
    const around = [focused, focused.parentElement, focused.parentElement?.parentElement];
    const here = () => around.every(element => element?.isConnected);
    const look = async () => {
        await new Promise(resolve => setTimeout(resolve, 300));
        return here() && around.map(getComputedStyle).map(style => style.boxShadow + style.outline + style.borderColor).join();
    };
    const seen = await look();
    focused.blur();
    const unseen = await look();
    focused.focus({focusVisible: true});
    return here() ? seen !== unseen : null;
}"""


def tab_to(page, name: str, inside: str = "body") -> None:
    """Press Tab until what is called so has the focus, and see that one can see it."""
    called = """([name, inside]) => document.activeElement.matches(`${inside} *`)
        && (document.activeElement.ariaLabel ?? document.activeElement.innerText).trim().startsWith(name)"""
    for _ in range(100):
        page.keyboard.press("Tab")
        if page.evaluate(called, [name, inside]) and (seen := page.evaluate(_FOCUS_SEEN)) is not None:
            assert seen, name
            return
    pytest.fail(f"Tab does not lead to {name}")


def test_somebody_with_a_keyboard_alone_does_everything(visit):
    page = visit.read("caption").page
    tab_to(page, "Coffee")
    page.keyboard.press("Enter")
    wait_for_captions(page, SAMPLES[-1].description)
    quiet(page)
    tab_to(page, "Learned")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    page.wait_for_url("**why=Word2Vec*")
    quiet(page)
    tab_to(page, "", ".st-key-at [role=radiogroup]")
    page.keyboard.press("ArrowRight")
    if page.evaluate("document.activeElement.ariaChecked") == "true":
        page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    page.wait_for_url("**at=*")
    quiet(page)
    tab_to(page, "", "[class*=st-key-go-on-]")
    page.keyboard.press("Enter")
    page.locator(f".st-key-what-if {CARDS}").last.wait_for()
    tab_to(page, "A caption of your own")
    page.keyboard.type("a red circle")
    page.keyboard.press("Enter")
    page.locator(".verdict").get_by_text("finds it likeliest").wait_for()


def read_with_odds(page, description: str) -> list[tuple[str, str]]:
    """The captions, and how sure each decoder was, which tells photographs apart that are captioned alike."""
    sentences = wait_for_captions(page, description)
    measures = [page.locator(f".st-key-card-{name}").get_by_text(" · ").first.inner_text() for name in VARIANTS]
    return [(text, measure.partition(" · ")[0]) for text, measure in zip(sentences, measures, strict=True)]


def written(caption: Caption) -> str:
    """A caption as it stands on its card."""
    return (caption.text or _NO_WORD) + " …" * (not caption.finished)


def test_two_students_at_once_each_get_the_captions_of_their_own_photograph(visitor, tiny_run, encoder):
    mine, yours = shapes(1, 1, 2).split("test")
    pictures = {"mine.jpg": mine.read(), "yours.jpg": yours.read()}
    pages = {name: visitor().open().page for name in pictures}
    for page in pages.values():
        wait_for_captions(page, SAMPLES[0].description)
    for name, data in pictures.items():
        upload(pages[name], (name, data))
    shown = {name: read_with_odds(page, f"Your photograph {name}.") for name, page in pages.items()}
    captioner, config = Captioner.load(tiny_run, encoder=encoder), load_search_config(tiny_run)
    for name, data in pictures.items():
        alone = [found[0] for found in captioner.caption([read(data)], config)[0].values()]
        assert shown[name] == [(written(caption), odds(caption.log_probability)) for caption in alone]
    assert shown["mine.jpg"] != shown["yours.jpg"]
