"""No page keeps anybody out: axe-core finds nothing serious or critical, light and dark, and with everything unfolded."""

import pytest

from browsing import CARDS, CHART, DARK, PAGES, WIDE, quiet, violations, visiting

_FOLDED = "[data-testid=stExpander] details:not([open]) > summary"


@pytest.fixture(scope="module", params=[{}, DARK], ids=["light", "dark"])
def reader(chromium, address, request):
    """One visitor who reads every page in one theme."""
    with visiting(chromium, address, **WIDE, **request.param) as visit:
        yield visit


@pytest.mark.parametrize("path", PAGES)
def test_nothing_on_a_page_keeps_anybody_out(reader, path):
    assert not violations(reader.read(path).page)


def test_nothing_that_folds_in_does_either(reader):
    page = reader.read("caption?say=a+red+circle").page
    page.locator("[class*=st-key-go-on-] button").first.click()
    page.locator(f".st-key-what-if {CARDS}").last.wait_for()
    for unfolded in (f".st-key-tree {CHART}", "[data-testid=stDataFrame] canvas"):  # The one lies in the other's fold.
        while page.locator(_FOLDED).count():
            page.locator(_FOLDED).first.click()
        page.locator(unfolded).first.wait_for()
    page.get_by_role("button", name="Settings").click()
    page.get_by_role("radiogroup", name="Method").wait_for()
    quiet(page)
    assert not violations(page)


def test_a_fault_would_be_found(reader):
    page = reader.read("caption").page
    page.evaluate("document.querySelector('.st-key-photograph img').removeAttribute('alt')")
    page.evaluate("document.querySelector('.origin').style.opacity = 0.4")
    assert {found.split(":")[0] for found in violations(page)} == {"image-alt", "color-contrast"}
