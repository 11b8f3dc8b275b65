"""What the tests of the pages do in them: bring a photograph, read captions, judge how it looks."""

from io import BytesIO

from PIL import Image

from browsing import CARDS
from captioner.config import VARIANTS

_UPLOAD = "input[type=file]"


def photograph(tint: str, size: tuple[int, int] = (640, 480), **saved) -> bytes:
    """A grey slope under a colour, as a JPEG."""
    grey = Image.linear_gradient("L").resize(size).convert("RGB")
    file = BytesIO()
    Image.blend(grey, Image.new("RGB", grey.size, tint), 0.5).save(file, "JPEG", **saved)
    return file.getvalue()


def upload(page, *files: tuple[str, bytes]) -> None:
    chosen = [{"name": name, "mimeType": "image/jpeg", "buffer": data} for name, data in files]
    page.locator(_UPLOAD).set_input_files(chosen)


def wait_for_captions(page, description: str) -> list[str]:
    """The three sentences under the photograph that is described so."""
    page.locator(f'.st-key-photograph img[alt="{description}"]').wait_for()
    page.wait_for_function("document.querySelectorAll('[data-stale=true]').length === 0")
    sentences = page.locator(f"[class*=st-key-card-] {CARDS}")
    sentences.nth(len(VARIANTS) - 1).wait_for()
    return sentences.all_inner_texts()


def scrolls_sideways(page) -> bool:
    main = page.locator("[data-testid=stMain]")
    return main.evaluate("main => Math.max(main.scrollWidth, document.documentElement.scrollWidth) > window.innerWidth")


def chosen(page, key: str) -> str:
    """What is chosen among the buttons under a key."""
    return page.locator(f".st-key-{key} [role=radio][aria-checked=true]").inner_text()
