"""Training on the page, the real one, in a real browser: begun by one visitor, seen to fall by two, stopped by the other."""

import csv
from pathlib import Path

from browsing import CHART, PATIENCE, quiet

_EPOCH = "epoch => parseInt(document.querySelector('[data-testid=stProgress]')?.innerText.match(/epoch (\\d+)/)?.[1]) >= epoch"


def losses(page) -> list[float]:
    with page.expect_download() as download:
        page.get_by_role("button", name="Losses as CSV").click()
    with Path(download.value.path()).open(newline="", encoding="utf-8") as file:
        return [float(row["train_loss"]) for row in csv.DictReader(file)]


def test_one_begins_a_training_and_another_watches(visitor):
    first, second = visitor().open("curves").page, visitor().open("curves").page
    first.get_by_role("button", name="Train three now").click()
    first.get_by_role("button", name="Stop").wait_for()
    # The other one's page still offers a training; asked for, it shows the one that runs.
    second.get_by_role("button", name="Train three now").click()
    second.get_by_role("alert").get_by_text("already being trained").wait_for()
    second.get_by_role("button", name="Stop").wait_for()
    third = visitor().open("curves").page
    third.get_by_role("button", name="Watch the live training").wait_for()
    assert third.get_by_role("button", name="Train three now").count() == 0
    for page in (first, second):
        # The training has low priority: beside another process of tests it may take minutes.
        page.wait_for_function(_EPOCH, arg=2, timeout=3 * PATIENCE * 1000)
        page.locator(CHART).wait_for()
    second.get_by_role("button", name="Stop").click()
    for page in (first, second):
        page.get_by_text("The training was stopped").wait_for()
        page.get_by_role("button", name="Train them again").wait_for()
        quiet(page)
        fallen = losses(page)
        assert len(fallen) >= 2 and fallen[-1] < fallen[0]
