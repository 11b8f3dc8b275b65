"""The page of scores without a browser: what it shows, each of its branches, and what it says when something is missing."""

import json
import re
import shutil

import pytest

from captioner.config import SHIPPED, VARIANTS
from captioner.figures.glossary import GLOSSARY
from captioner.figures.scores import ablation_table, study_chart
from captioner.presets import OLDER_RECIPES
from captioner.storage import write_json
from captioner.views.launch_options import FOLDER_VARIABLE
from support.app_driver import open_view, refusals, shown
from support.factories import summary, write_all, write_curve, write_scores
from support.recipe_factory import write_ablation, write_recipes
from support.study_factory import write_study, write_wide_study

pytestmark = pytest.mark.slow


@pytest.fixture
def folder(tiny_run, tmp_path, monkeypatch):
    """A copy of the trained run, without scores yet."""
    folder = shutil.copytree(tiny_run, tmp_path / "run")
    trials = [{"beam": beam, "length_preference": 0.7, "variants": {"learned": {"cider": beam / 10}}} for beam in (1, 3)]
    write_json(folder / "search.json", {"beam": 3, "length_preference": 0.7, "trials": trials})
    monkeypatch.setenv(FOLDER_VARIABLE, str(folder))
    return folder


def verdict(page) -> str:
    (found,) = re.findall(r'<p class="verdict">(.*?)</p>', shown(page))
    return found


def beside(page) -> str:
    return "\n".join(re.findall(r'<p class="beside">(.*?)</p>', shown(page)))


def charts(page) -> list[str]:
    return [chart.proto.alt for chart in page.get("vega_lite_chart")]


def test_the_verdict_stands_first_and_what_it_rests_on_below(folder):
    write_all(folder)
    page = open_view("scores").run()
    assert not refusals(page)
    assert verdict(page).startswith("On 1,000 test photographs, FastText scores highest (CIDEr 0.570)")
    assert verdict(page).endswith("not significant.")
    assert "On 1,000 dev photographs, FastText scores highest" in beside(page) and "(seed 1)" in beside(page)
    assert "<small>0.540 to 0.600</small>" in shown(page) and "trainable parameters" in shown(page)
    assert [chart.split(":")[0] for chart in charts(page)] == [
        "CIDEr, best first", "Paired differences in CIDEr", "CIDEr on dev by beam; beam 1"
    ]  # fmt: skip
    assert "People score 0.820" in beside(page) and "0.480 to 0.550 in CIDEr, not 0.500 to 0.570" in beside(page)
    assert "people use 6.0 times as many different words" in beside(page)
    assert shown(page).index('class="verdict"') < shown(page).index('class="figures"')
    assert shown(page).count("<dt>") == len(GLOSSARY) + len(OLDER_RECIPES) and "README" not in page.caption[-1].value


def test_trainings_with_several_seeds_have_their_part(folder):
    write_all(folder)
    write_study(folder, planned=14)
    page = open_view("scores").run()
    assert not refusals(page) and "Trained again and again: is it the vectors, or luck?" in [one.value for one in page.header]
    assert "Over 2 runs each, Word2Vec scores highest" in shown(page)
    assert "1 of 14 planned runs are missing" in beside(page) and "Controls, mean test CIDEr: Random" in beside(page)
    assert "best run on dev. On 1,000 test photographs, FastText" in beside(page)
    assert "(seed 1)" not in beside(page) and shown(page).count('class="verdict"') == 1
    assert any(text.startswith("CIDEr on test of every run; Learned 0.5") for text in charts(page))
    (folder / "flickr8k" / "study.json").write_text("{}")
    (told,) = refusals(open_view("scores").run())
    assert "study.json" in told


def test_a_later_study_comes_first_and_the_former_in_short(folder):
    write_all(folder)
    former, latest = write_study(folder, planned=14), write_wide_study(folder)
    write_ablation(folder)
    page = open_view("scores").run()
    assert not refusals(page)
    headers = [one.value for one in page.header]
    parts = ["Trained again and again: is it the vectors, or luck?", ablation_table.TITLE, "The study on Flickr8k alone"]
    assert [one for one in headers if one in parts] == parts
    wide, short = (study_chart.as_table(one, "first") for one in (latest, former))
    tables = [frame.value for frame in page.dataframe]
    assert any(table.equals(wide) for table in tables) and any(table.equals(short) for table in tables)
    assert "wide test CIDEr" in wide and "wide test CIDEr" not in short
    (ablation,) = (table for table in tables if "word slots" in table)
    assert list(ablation.index) == ["shortened"] * 12 + ["shipped, first"] * 3 + ["shipped, reward"] * 3
    assert "13 runs of the recipe before this one" in beside(page) and beside(page).count("Controls, mean test CIDEr") == 1


def test_older_recipes_have_their_part(folder):
    write_all(folder)
    page = open_view("scores").run()
    headers = [one.value for one in page.header]
    assert "An open question" in headers and not refusals(page)
    assert "No older recipe was trained on these data" in beside(page)
    assert "python -m captioner study --plan recipes --part question --data DIR" in beside(page)
    write_recipes(folder)
    assert "This project’s recipe" not in beside(open_view("scores").run())
    write_study(folder)
    page = open_view("scores").run()
    assert "This project’s recipe for Flickr8k alone reaches a mean test CIDEr after the first stage of" in beside(page)
    assert not refusals(page) and "course CIDEr 0.500 (Merge, 2018: 0.469)" in beside(page)
    assert "It was the dimensions. Here FastText with 10" in beside(page) and "To answer this" not in beside(page)
    assert beside(page).index("It was the dimensions") < beside(page).index("compared after 4 epochs")
    assert any(text.startswith("Training losses by epoch; at their ends: Word2Vec, 300 2.510") for text in charts(page))
    tables = [frame.value for frame in page.dataframe]
    assert any(len(table) == 15 and "milliseconds a caption" in table.columns for table in tables)
    (folder / "trials" / "recipes.json").write_text("{}")
    (told,) = refusals(open_view("scores").run())
    assert "recipes.json" in told


def test_the_split_and_the_measure_can_be_chosen(folder):
    write_all(folder, half=0.02)
    page = open_view("scores").run()
    page.segmented_control(key="split").set_value("dev").run()
    assert verdict(page).startswith("On 1,000 dev photographs, FastText scores highest (CIDEr 0.570)")
    assert verdict(page).endswith("ahead of Word2Vec by 0.040 (0.020 to 0.060). The lead is significant.")
    page.segmented_control(key="measure").set_value("bleu4").run()
    assert charts(page)[0].startswith("BLEU-4, best first") and charts(page)[1].startswith("Paired differences in BLEU-4")
    assert "Merge" not in charts(page)[0]
    page.segmented_control(key="split").set_value("test").run()
    assert "Merge, 2018" in charts(page)[0] and verdict(page).startswith("On 1,000 test photographs,")


def test_without_scores_the_page_says_what_to_do_and_shows_the_rest(folder):
    page = open_view("scores").run()
    assert verdict(page) == "No decoder has been scored on the test photographs yet."
    assert len(refusals(page)) == 3 and f"evaluate --data DIR --checkpoints {folder.name} --split test" in refusals(page)[0]
    assert [chart[:12] for chart in charts(page)] == ["CIDEr on dev"] and "Xu et al." in beside(page)


def test_of_decoders_that_saw_dev_only_test_counts(folder):
    """Whatever an earlier version may have written beside them."""
    write_all(folder)
    for name in VARIANTS:
        history = json.loads((folder / name / "history.json").read_text())
        write_json(folder / name / "history.json", history | {"data": history["data"] | {"name": "shapes-7000-1000"}})
    page = open_view("scores").run()
    assert verdict(page).startswith("On 1,000 test photographs,") and "dev photographs" not in beside(page)
    (told,) = refusals(page)
    assert "also trained on dev, so no beam size was chosen there" in told
    page.segmented_control(key="split").set_value("dev").run()
    assert "also trained on dev, so only test" in refusals(page)[0] and "0.570" not in shown(page)


def test_without_a_comparison_the_table_stays(folder):
    write_scores(folder, "test")
    page = open_view("scores").run()
    assert "whether the lead is significant was not computed" in verdict(page)
    assert "have not been compared on test" in refusals(page)[0] and len(refusals(page)) == 1
    assert '<table class="figures">' in shown(page) and len(charts(page)) == 2


def test_damaged_files_are_sentences(folder):
    write_all(folder)
    (folder / "comparison.json").write_text("no")
    (folder / "word2vec" / "scores.json").write_text("[]")
    (folder / "learned" / "history.json").write_text("{}")
    (folder / "search.json").write_text('{"beam": 3}')
    page = open_view("scores").run()
    found = "\n".join(refusals(page))
    for part in ("comparison.json", "scores.json of word2vec", "history.json", "search.json of run"):
        assert part in found, part
    assert verdict(page).startswith("On 1,000 test photographs, FastText scores highest (CIDEr 0.570), Learned 0.500;")


def test_decoders_that_say_nothing_at_all_are_not_held_against_people(folder):
    write_all(folder)
    compared = json.loads((folder / "comparison.json").read_text())
    for name in VARIANTS:
        compared["test"]["wording"][name]["different_words"] = 0
    write_json(folder / "comparison.json", compared)
    page = open_view("scores").run()
    assert not refusals(page) and "times as many different words" not in beside(page)


def test_what_familiarity_foretells_is_shown_where_it_was_measured(folder):
    write_all(folder)
    assert "Are strange photographs captioned worse?" not in {header.value for header in open_view("scores").run().header}
    summary().save(folder)
    write_curve(folder)
    page = open_view("scores").run()
    assert "On 100 dev photographs, the rank correlation of strangeness and CIDEr" in beside(page) and not refusals(page)
    assert charts(page)[-1].startswith("Mean CIDEr on dev, from the least strange") and len(charts(page)) == 4
    write_curve(folder, flat=True)
    assert "strangest" not in beside(open_view("scores").run())
    summary(seed=1).save(folder)
    page = open_view("scores").run()
    assert "familiarity.json is of other decoders" in refusals(page)[0] and len(charts(page)) == 3


def test_scores_of_other_data_are_not_held_against_flickr8k(folder):
    write_all(folder, data="shapes")
    page = open_view("scores").run()
    assert "Xu et al." not in beside(page) and "Merge" not in charts(page)[0]


def test_what_ships_is_shown_whole(monkeypatch):
    monkeypatch.setenv(FOLDER_VARIABLE, str(SHIPPED))
    page = open_view("scores").run()
    assert not refusals(page) and len(charts(page)) > 4 and page.caption[-1].value.endswith("so are the README’s.")
    assert verdict(page).startswith("Mean test CIDEr over") and "On 1,000 test photographs," in beside(page)
