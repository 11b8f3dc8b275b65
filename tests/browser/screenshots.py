"""Pictures of every page, light and dark, wide and on a phone: `python tests/browser/screenshots.py FOLDER`.

With `--readme` it draws the README's picture instead, the Caption page with the decoders that ship.
"""

import argparse
from io import BytesIO
from pathlib import Path

from PIL import Image

from browsing import DARK, PAGES, PHONE, ROOT, WIDE, Visit, browser, need_chromium, quiet, started

THEMES = {"light": {}, "dark": DARK}
README = ROOT / ".github" / "page.png"
README_WIDTH = 860


def shoot(visit: Visit, path: str) -> bytes:
    """A page at its full height; it scrolls inside itself, so the window is made as high as what is in it."""
    page = visit.read(path).page
    width = page.viewport_size["width"]
    height = page.locator("[data-testid=stMain]").evaluate("main => main.scrollHeight")
    page.set_viewport_size({"width": width, "height": height})
    quiet(page)
    picture = page.screenshot(animations="disabled")
    page.set_viewport_size({"width": width, "height": WIDE["viewport"]["height"]})
    return picture


def shoot_all(chromium, address: str, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for theme, colours in THEMES.items():
        for size in (WIDE, PHONE):
            visit = Visit(chromium.new_context(**size, **colours).new_page(), address)
            for path in PAGES:
                file = folder / f"{path}-{theme}-{size['viewport']['width']}.png"
                file.write_bytes(shoot(visit, path))
                print(file)
            visit.page.context.close()


def shoot_for_readme(chromium, address: str) -> None:
    """The first page as it opens, drawn smaller; the sample comes with scikit-image and may be shown."""
    visit = Visit(chromium.new_context(viewport={"width": 1280, "height": 720}, device_scale_factor=2).new_page(), address)
    page = visit.read("caption").page
    README.write_bytes(_small(page.screenshot(animations="disabled")))
    print(f"{README}: {README.stat().st_size:,} bytes")


def _small(picture: bytes) -> bytes:
    image = Image.open(BytesIO(picture)).convert("RGB")
    image.thumbnail((README_WIDTH, README_WIDTH), Image.Resampling.LANCZOS)
    file = BytesIO()
    image.save(file, "PNG", optimize=True)
    return file.getvalue()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    about = "default: screenshots, which git ignores"
    parser.add_argument("folder", nargs="?", type=Path, default=ROOT / "screenshots", help=about)
    parser.add_argument("--readme", action="store_true", help=f"draw {README.relative_to(ROOT)} and nothing else")
    arguments = parser.parse_args()
    with started() as app, browser(need_chromium()) as chromium:
        if arguments.readme:
            shoot_for_readme(chromium, app.address)
        else:
            shoot_all(chromium, app.address, arguments.folder)


if __name__ == "__main__":
    main()
