"""The tables of scores as HTML."""

import re
from dataclasses import replace

from captioner.config import VARIANTS
from captioner.figures.curves.histories import Epoch, History
from captioner.figures.decoder.settings_in_words import Facts
from captioner.figures.glossary import GLOSSARY
from captioner.figures.scores.scoreboard import Board, Entry, Stored
from captioner.model.blueprint import Parameters
from captioner.scoring.baselines import ScoreSummary
from captioner.scoring.caption_style import CaptionStyle
from captioner.views.scores import score_cards

SETTING = {"data": "flickr8k", "images": 1000, "beam": 5, "length_preference": 1.0}
EPOCHS = (Epoch(1, 4.0, 3.9, 120.4, 1e-3), Epoch(2, 3.0, 2.81256, 99.6, 1e-3), Epoch(3, 2.5, 2.9, 101.4, 0.0))


def cells(table: str) -> dict[str, list[str]]:
    """The texts of each row by its head."""
    rows = re.findall(r'<tr><th scope="row">(.*?)</th>(.*?)</tr>', table)
    return {head: [re.sub("<.*?>", " ", cell).strip() for cell in re.findall("<td>(.*?)</td>", row)] for head, row in rows}


def board() -> Board:
    score = ScoreSummary({"cider": 0.5512, "meteor": 0.2}, {"cider": (0.52, 0.5831)})
    return Board("test", tuple(Entry(VARIANTS[name], score, SETTING) for name in ("learned", "fasttext")), None)


def test_a_column_per_decoder_with_scores_intervals_and_facts():
    history = History(variant=VARIANTS["learned"], seed=1, state="finished", epochs=EPOCHS, best_epoch=2, silent=0.0)
    facts = {"learned": Facts(Parameters(5_698_684, 0), history), "fasttext": Facts(Parameters(4_936_684, 762_000))}
    table = score_cards.score_table(board(), facts)
    assert cells(table) == {
        "CIDEr": ["0.551  0.520 to 0.583"] * 2,
        "METEOR": ["0.200"] * 2,
        "dev loss, epoch kept": ["2.813  epoch 2 of 3", ""],
        "trainable parameters": ["5,698,684", "4,936,684"],
        "frozen parameters": ["0", "762,000"],
        "seconds an epoch": ["101", ""],
    }
    assert "Scores on 1,000 test photographs" in table and table.count('<th scope="col">') == 2


def test_a_further_data_set_has_a_row_below_the_same_figure():
    own = board()
    wide = Stored({"cider": 0.3}, {"cider": (0.2, 0.4)}, "wide", 120, 5, 1.0)
    entries = tuple(replace(entry, further={"wide": wide}) for entry in own.entries)
    table = score_cards.score_table(replace(own, entries=entries), dict.fromkeys(("learned", "fasttext"), Facts()))
    assert list(cells(table)) == ["CIDEr", "CIDEr on wide, 120 photographs", "METEOR"]
    assert cells(table)["CIDEr on wide, 120 photographs"] == ["0.300  0.200 to 0.400"] * 2


def test_what_no_decoder_knows_has_no_row():
    table = score_cards.score_table(board(), dict.fromkeys(("learned", "fasttext"), Facts()))
    assert list(cells(table)) == ["CIDEr", "METEOR"]


def test_the_wording_of_decoders_beside_that_of_people_as_far_as_it_was_measured():
    more = {"cut": 0.0, "flawed": 0.125, "rare": 0.0751, "rare_5_9": 0.01, "rare_10_19": None, "rare_20_49": 0.1}
    people = CaptionStyle(10.87, 999.8, 1515.8, 0.04, None)
    table = score_cards.wording_table({"learned": CaptionStyle(11.03, 762, 274, 0.12, 0.096, **more), "people": people}, 1000)
    assert cells(table) == {
        "words in a caption": ["11.0", "10.9"],
        "different captions": ["762", "1,000"],
        "different words": ["274", "1,516"],
        "repeats itself": ["12%", "4.0%"],
        "breaks off": ["0.0%", ""],
        "repeats itself or breaks off": ["12%", ""],
        "seen in training": ["9.6%", ""],
        "rare words found": ["7.5%", ""],
        "of those seen 5 to 9 times": ["1.0%", ""],
        "of those seen 20 to 49 times": ["10%", ""],
    }
    assert '<th scope="col">People</th>' in table


def test_texts_are_escaped_and_empty_ones_leave_nothing():
    assert score_cards.paragraph("<b>", "x") == '<p class="x">&lt;b&gt;</p>' and score_cards.paragraph("", "x") == ""


def test_every_row_and_every_term_has_its_line():
    shown = score_cards.glossary()
    assert shown.count("<dt>") == len(GLOSSARY) and all(f"<dt>{name}</dt>" in shown for name in GLOSSARY)
    style = CaptionStyle(11.03, 762, 274, 0.12, 0.096, 0.01, 0.13, 0.05, 0.07)
    worded = cells(score_cards.wording_table({"learned": style}, 1000))
    names = set(GLOSSARY)
    assert {"trainable parameters", "frozen parameters", "seconds an epoch", *worded} <= names and len(worded) == 9
