"""How long the shipped decoders let a visitor wait in a real browser, the app's memory, and what axe-core finds.

`python tests/browser/measure.py` prints it. Times are taken in the page itself. Run it on a quiet machine: what runs
beside it is measured too.
"""

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

from browsing import DARK, PAGES, WIDE, Visit, browser, need_chromium, quiet, started, violations, wait_for_captions
from captioner.benchmarks.captioning import photograph
from captioner.config import VARIANTS
from captioner.data.samples import SAMPLES

STARTS, UPLOADS, CLICKS = 5, 50, 20
WORDS = ".st-key-at button"
# Starts at once or with the page's next event, ends when the condition, looked at every 4 ms, holds.
_WATCH = """([event, condition]) => {
    const holds = eval(condition);
    window.watched = new Promise((resolve, reject) => {
        setTimeout(() => reject(new Error('it did not happen within a minute')), 60_000);
        let start = event ? null : performance.now();
        if (event) document.addEventListener(event, () => start = performance.now(), {capture: true, once: true});
        const look = setInterval(() => {
            if (start === null || !holds()) return;
            clearInterval(look);
            resolve(performance.now() - start);
        }, 4);
    });
}"""
_CAPTIONS = """() => {
    const picture = document.querySelector('.st-key-photograph img');
    const cards = [...document.querySelectorAll('.sentence')].filter(card => card.closest('[class*=st-key-card-]'));
    return picture?.alt === %s && picture.complete
        && cards.length === %d && !cards.some(card => card.closest('[data-stale=true]'));
}"""
_LOOKED = """() => {
    const picture = document.querySelector('img[alt^="The photograph under a heat map"]');
    return picture && picture.complete && picture.naturalWidth > 0 && picture.src !== %s;
}"""


def watch(page, condition: str, event: str = "") -> Callable[[], float]:
    """Start a stopwatch in the page; the function returned waits for the condition and reads it, in milliseconds."""
    page.evaluate(_WATCH, [event, condition])
    return lambda: page.evaluate("window.watched")


def captions_of(description: str) -> str:
    """True in the page when its photograph is the one described so, with three captions of it."""
    return _CAPTIONS % (json.dumps(description), len(VARIANTS))


def time_uploads(page, count: int = UPLOADS) -> list[float]:
    """From a file being chosen until its three captions stand there; a sample in between empties the uploader."""
    times = []
    for number in range(count):
        show_sample(page, (number + 1) % len(SAMPLES))
        name = f"{number}.jpg"
        read = watch(page, captions_of(f"Your photograph {name}."))
        page.locator("input[type=file]").set_input_files({"name": name, "mimeType": "image/jpeg", "buffer": photograph(number)})
        times.append(read())
        quiet(page)
    return times


def show_sample(page, number: int) -> None:
    page.get_by_role("button", name=SAMPLES[number].title, exact=True).click()
    page.wait_for_function(captions_of(SAMPLES[number].description))
    quiet(page)


def time_clicks(page, count: int = CLICKS) -> list[float]:
    """From a click on a word until the heat map is another one; all words of a caption, then those of the next sample."""
    times: list[float] = []
    for number in range(len(SAMPLES)):
        if len(times) == count:
            break
        show_sample(page, number)
        for word in page.locator(WORDS).all():
            if len(times) < count and word.get_attribute("aria-checked") == "false":
                times.append(time_click(page, word))
    return times


def time_click(page, word) -> float:
    before = page.locator('img[alt^="The photograph under a heat map"]').get_attribute("src")
    absolute = page.evaluate("path => new URL(path, location).href", before)
    read = watch(page, _LOOKED % json.dumps(absolute), "click")
    word.click()
    took = read()
    quiet(page)
    return took


def find_violations(chromium, address: str) -> list[str]:
    """Serious or critical ones over all pages, light and dark."""
    found = []
    for theme in ({}, DARK):
        visit = Visit(chromium.new_context(**WIDE, **theme).new_page(), address)
        for path in PAGES:
            found += [f"{path} {theme}: {one}" for one in violations(visit.read(path).page)]
        visit.page.context.close()
    return found


def time_start(chromium) -> float:
    """Seconds from the start of the server to three captions in a browser profile that holds nothing."""
    page = chromium.new_context(**WIDE).new_page()
    start = time.perf_counter()
    with started() as app:
        wait_for_captions(Visit(page, app.address).open().page)
        took = time.perf_counter() - start
        page.context.close()
    return took


def resident_megabytes(process: int) -> float:
    """The memory that a process occupies now; Linux only."""
    status = Path(f"/proc/{process}/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS:")) / 1024


def measure(executable: str) -> dict[str, float]:
    with browser(executable) as chromium:
        starts = [time_start(chromium) for _ in range(STARTS)]
        with started() as app:
            visit = Visit(chromium.new_context(**WIDE).new_page(), app.address)
            wait_for_captions(visit.open().page)
            quiet(visit.page)
            uploads = time_uploads(visit.page)
            memory = resident_megabytes(app.process)
            clicks = time_clicks(visit.page)
            found = find_violations(chromium, app.address)
    print(*visit.problems(), *found, sep="\n", file=sys.stderr, end="")
    return {
        "cold_s": round(statistics.median(starts), 2),
        "starts": len(starts),
        "upload_to_captions_ms": round(statistics.median(uploads)),
        "upload_to_captions_p90_ms": round(_p90(uploads)),
        "uploads": len(uploads),
        "rss_mb": round(memory),
        "click_ms": round(statistics.median(clicks)),
        "click_p90_ms": round(_p90(clicks)),
        "clicks": len(clicks),
        "axe_serious": len(found),
    }


def _p90(times: list[float]) -> float:
    return statistics.quantiles(times, n=10)[-1]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="for machines")
    arguments = parser.parse_args()
    figures = measure(need_chromium())
    print(json.dumps(figures) if arguments.json else "\n".join(f"{name}: {value}" for name, value in figures.items()))


if __name__ == "__main__":
    main()
