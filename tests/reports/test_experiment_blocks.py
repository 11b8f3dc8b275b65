"""The README blocks about experiments, against the records that they are written from."""

from dataclasses import replace
from pathlib import Path

from captioner.config import FIRST
from captioner.config_io import to_json
from captioner.experiments.records import Record, Scores, stored
from captioner.presets import PRESETS
from captioner.reports.readme import render
from captioner.storage import write_json
from support.recipe_factory import write_ablation, write_recipes
from support.study_factory import write_study, write_wide_study


def test_a_study_is_told_stage_by_stage(tmp_path: Path):
    """Before there is one, there is nothing."""
    empty = "<!-- figures: former -->\n<!-- end -->\n<!-- figures: study -->\n<!-- end -->\n"
    assert render(empty, tmp_path) == empty
    write_study(tmp_path)
    former, latest = render(empty, tmp_path).split("<!-- figures: study -->\n")
    assert latest == "<!-- end -->\n"
    assert former.count("| Word2Vec | ") == 2 and former.index("**First stage**") < former.index("**Reward**")
    told = " ".join(former.split())
    assert "13 of 14 runs" in told and "excludes 0" in told and "Word2Vec scores highest" in told
    write_wide_study(tmp_path)
    again, latest = render(empty, tmp_path).split("<!-- figures: study -->\n")
    assert again == former and "12 of 18 runs" in latest
    assert latest.count("| test CIDEr | wide test CIDEr |") == 2
    assert "Controls, mean" not in latest and "Fine-tuning the CNN" not in latest


def test_the_ablation_has_its_table_and_the_recipe_that_ships_beside_it(tmp_path: Path):
    """Before there are records, not even a heading."""
    empty = "<!-- figures: ablation -->\n<!-- end -->\n"
    assert render(empty, tmp_path) == empty
    write_ablation(tmp_path)
    write_wide_study(tmp_path)
    text = render(empty, tmp_path)
    rows = [line for line in text.splitlines() if line.startswith("| ")]
    assert "\n## What word slots and further data sets bring\n" in text and "5 epochs on whole photographs" in text
    assert rows[0].startswith("| recipe | trained on | word slots | vectors | seeds | flickr8k test CIDEr | wide test CIDEr |")
    assert len(rows) == 1 + 12 + 6 and rows[12].startswith("| shortened | flickr8k, wide and made | 4 | FastText | 2 | 0.622 |")
    slots = PRESETS["triptych"].decoder.word_slots or "none"
    assert rows[-1].startswith(f"| shipped, reward | flickr8k and wide | {slots} | FastText | 2 | ")


def test_older_recipes_are_told_from_their_records(tmp_path: Path):
    """Before there are any, a sentence; then a row for each of the table, and what follows from them."""
    marks = "<!-- figures: ancestors -->\n<!-- end -->\n<!-- figures: question -->\n<!-- end -->\n"
    empty = " ".join(render(marks, tmp_path).split())
    assert "### An open question A well-known" in empty and "To answer this, train" in empty and "3.63" in empty
    assert "No older recipe was trained" in empty
    write_recipes(tmp_path)
    text = render(marks, tmp_path)
    rows = [line for line in text.splitlines() if line.startswith("| ")]
    assert len(rows) == 1 + 15 + 1 + 10 and rows[0].startswith("| recipe | vectors | test CIDEr |")
    assert rows[2].startswith("| course | Word2Vec | 0.500 (0.470 to 0.530) |")
    assert "### An open question, answered" in text and "It was the dimensions. Here" in text
    assert render(text, tmp_path) == text


def test_kept_runs_have_a_row_with_what_sets_them_apart(tmp_path: Path):
    preset = PRESETS["tiny"]
    other = replace(preset, encoder="vgg16", embedding=replace(preset.embedding, window=7))
    score = Scores({"cider": 0.51234, "bleu4": 0.2, "rouge_l": 0.4}, 5, 1.0)
    plain, changed = (
        Record(variant, FIRST, 1, to_json(one.up_to(FIRST)), "shapes", one.encoder, name=name, losses=((3.0, 2.75), (2.9, 2.5)),
               seconds=180.0, scores={"dev": score})
        for variant, name, one in (("learned", "a-plain", preset), ("fasttext", "b-changed", other))
    )  # fmt: skip
    write_json(tmp_path / "trials" / "tried.json", {"trials": [stored(plain), stored(changed)]})
    rows = [line for line in render("<!-- figures: tried -->\n<!-- end -->\n", tmp_path).splitlines() if line.startswith("| ")]
    figures = "first | 2 | 2.500 | beam 5, 1 | 0.5123 | 0.2000 | 0.4000 | 3 |  |"
    assert rows[1:] == [
        f"| a-plain | tiny | Learned | {figures}",
        f"| b-changed | tiny, but encoder vgg16, vectors' window 7 | FastText | {figures}"
    ]  # fmt: skip
