"""The page of words without a browser: every control, every refusal, and words that nobody should type."""

import itertools
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from captioner.config import FIRST, SHIPPED, VARIANTS
from captioner.views.cards import escaped
from captioner.views.launch_options import FOLDER_VARIABLE
from captioner.views.words.analogies import EXAMPLES, answer_list
from captioner.views.words.comparisons import least
from captioner.views.words.neighbours import pieces_of, shared_counts
from captioner.views.words.word_lists import coverage_table, origins
from captioner.views.words.word_maps import legend
from embeddings.__main__ import main
from embeddings.explore import analogy, neighbours
from embeddings.kinds import KINDS
from embeddings.subwords import Pieces, keep
from embeddings.table import EmbeddingTable
from support.app_driver import open_view, refusals, shown

pytestmark = pytest.mark.slow


@pytest.fixture
def words(tiny_run, monkeypatch) -> AppTest:
    monkeypatch.setenv(FOLDER_VARIABLE, str(tiny_run))
    return open_view("words").run()


@pytest.fixture
def shipped(monkeypatch) -> AppTest:
    monkeypatch.setenv(FOLDER_VARIABLE, str(SHIPPED / FIRST))
    return open_view("words").run()


@pytest.fixture
def copy(tiny_run, tmp_path, monkeypatch) -> Path:
    """The small tables, to be spoilt."""
    folder = shutil.copytree(tiny_run, tmp_path / "copy")
    monkeypatch.setenv(FOLDER_VARIABLE, str(folder))
    return folder


def near(page: AppTest, name: str) -> list[str]:
    """The labels of a table's neighbours."""
    assert not page.exception
    return [button.label for button in page.button if button.key.startswith(f"near-{name}-")]


def texts(page: AppTest) -> str:
    """What is read on the page: its HTML, styles left out, and its text."""
    assert not page.exception
    blocks = [element.value for element in page.html if "{" not in element.value]
    return "\n".join(blocks + [element.value for element in page.markdown])


def test_neighbours_stand_side_by_side_with_cosines_and_overlaps_and_each_is_a_way_to_walk_on(shipped):
    assert not refusals(shipped) and shipped.text_input(key="word").value == "dog"
    found = {name: dict(neighbours(EmbeddingTable.load(SHIPPED / FIRST / name), "dog", 10)) for name in VARIANTS}
    in_all = set.intersection(*map(set, found.values()))
    for name in VARIANTS:
        labels = near(shipped, name)
        assert [re.search(r"\*\*(\w+)\*\* :small\[([\d.]+)", label).groups() for label in labels] == [
            (word, f"{cosine:.2f}") for word, cosine in found[name].items()
        ]
        assert sum(label.endswith("· **in all three**]") for label in labels) == len(in_all)
    both = (found["word2vec"].keys() & found["fasttext"]) - in_all
    label = next(label for label in near(shipped, "word2vec") if f"**{min(both)}**" in label)
    assert label.endswith("· also FastText]")
    shared = [len(found[one].keys() & found[other]) for one, other in itertools.combinations(VARIANTS, 2)]
    pairs = "out of 10: Learned and Word2Vec {}, Learned and FastText {}, Word2Vec and FastText {}."
    assert pairs.format(*shared) in texts(shipped)
    shipped.button(key="near-word2vec-1").click().run()
    assert shipped.text_input(key="word").value == "puppy" and "**dog**" in near(shipped, "fasttext")[0]


def test_k_and_the_word_live_in_the_address(tiny_run, monkeypatch):
    monkeypatch.setenv(FOLDER_VARIABLE, str(tiny_run))
    page = open_view("words")
    page.query_params.update({"word": "Red", "k": "3"})
    page.run()
    assert [len(near(page, name)) for name in VARIANTS] == [3, 3, 3]
    assert page.query_params["word"] == "Red" and not any("**red**" in label for label in near(page, "learned"))
    page.slider(key="k").set_value(2).run()
    assert [len(near(page, name)) for name in VARIANTS] == [2, 2, 2]


def test_a_word_nobody_has_seen(shipped):
    shipped.text_input(key="word").set_value("snurfboarding").run()
    assert not near(shipped, "learned") and not near(shipped, "word2vec") and len(near(shipped, "fasttext")) == 10
    said = texts(shipped)
    assert "Learned does not know &#x27;snurfboarding&#x27;" in said and "FastText never saw" in said
    assert "<li><b>board</b></li>" in said and "<li><s>snurf</s></li>" in said
    assert "Neighbours in common" not in said


def test_a_hostile_word_stays_text(words):
    for word in ("<script>alert(1)</script>", "![x](http://example.com/x.png)", "**a**$b$:dog:", "<pad>"):
        words.text_input(key="word").set_value(word).run()
        said = texts(words)
        written = [element.value for element in words.markdown] + [button.label for button in words.button]
        assert "<script" not in said and not [text for text in written if word in text]
        assert ("special word" if word == "<pad>" else "does not know") in said and not refusals(words), word


def test_what_is_no_word_is_refused_and_the_page_stays(words):
    typing = {"x" * 1000: "80 letters, but 1,000", "two words": "needed, but 'two words'", "a\0b": "One word is needed"}
    for typed, message in typing.items():
        words.text_input(key="word").set_value(typed).run()
        assert len(refusals(words)) == 1 and message in refusals(words)[0]
        assert len(words.get("vega_lite_chart")) == 3 and not near(words, "learned")
    words.text_input(key="word").set_value("  ").run()
    assert "Type a word" in texts(words) and not refusals(words) and not near(words, "fasttext")
    words.text_input(key="word").set_value("red").run()
    assert not refusals(words) and near(words, "learned")


def test_maps_of_other_tables_or_damaged_ones_leave_pca(copy):
    page = open_view("words").run()
    assert texts(page).count("t-SNE is missing for this table") == 3
    assert texts(page).count("The two directions show ") == 3
    assert all("PCA: " in chart.proto.alt for chart in page.get("vega_lite_chart"))
    shutil.copy(SHIPPED / FIRST / "maps.json", copy)
    assert texts(page.run()).count("t-SNE is missing for this table") == 3
    main(["maps", "--checkpoints", str(copy)])
    assert "t-SNE is missing" not in texts(page.run()) and "Learned, t-SNE: " in page.get("vega_lite_chart")[0].proto.alt
    (copy / "maps.json").write_text("{")
    assert not refusals(page.run()) and "t-SNE is missing" in texts(page)


def test_the_maps_mark_the_word_and_have_a_table_behind_them(shipped):
    charts = shipped.get("vega_lite_chart")
    assert len(charts) == 3 and "Nearest to 'dog' on the map: " in charts[1].proto.alt and "puppy" in charts[1].proto.alt
    assert "A map misleads, neighbours do not" in texts(shipped)
    assert "Learned t-SNE, x" in shipped.dataframe[0].value
    shipped.segmented_control(key="map").set_value("pca").run()
    assert "Learned, PCA: " in shipped.get("vega_lite_chart")[0].proto.alt
    assert re.search(r"The two directions show \d+% of the vectors’ variance", texts(shipped))


def test_two_tables_are_compared(shipped):
    rows = [button for button in shipped.button if button.key.startswith("row-")]
    shares = [int(found) for found in re.findall(r'class="share">(\d+) of 10 the same', shown(shipped))]
    assert len(rows) == len(shares) == 12 and max(shares[:6]) < min(shares[6:])
    assert re.search(r"for the 300 commonest words, but [\d.]+ for the 300 rarest", texts(shipped))
    shipped.segmented_control(key="pair").set_value("word2vec-fasttext").run()
    shipped.slider(key="among").set_value(100).run()
    assert "for the 100 commonest words" in texts(shipped)
    others = [button.key for button in shipped.button if button.key.startswith("row-")]
    assert others != [row.key for row in rows]
    row = next(button for button in shipped.button if button.key.startswith("row-"))
    row.click().run()
    assert shipped.text_input(key="word").value == row.key.removeprefix("row-")


def test_small_tables_are_compared_whole_and_everything_can_be_downloaded(words):
    assert "in common on average." in texts(words) and "rarest" not in texts(words)
    assert "among" not in [slider.key for slider in words.slider]
    names = [button.proto.label for button in words.get("download_button")]
    tables = [f"{variant.title}: {what}" for variant in VARIANTS.values() for what in ("vectors", "words")]
    assert names == [*tables, "All maps: coordinates"]


def test_the_examples_of_arithmetic_do_what_they_say(shipped):
    tables = [EmbeddingTable.load(SHIPPED / FIRST / name) for name in VARIANTS]
    works, fails = EXAMPLES
    assert all(analogy(table, works.minus, works.start, works.plus, 1)[0][0] == works.expected for table in tables)
    assert not any(analogy(table, fails.minus, fails.start, fails.plus, 1)[0][0] == fails.expected for table in tables)
    assert texts(shipped).count("Most people expect <b>woman</b>, as this table does.") == 3
    shipped.button(key="example-white").click().run()
    assert shipped.text_input(key="plus").value == "snow"
    assert len(re.findall("Most people expect <b>white</b>, which", texts(shipped))) == 3
    shipped.button(key="example-woman").click().run()
    shipped.text_input(key="plus").set_value("dog").run()
    assert "Most people expect" not in texts(shipped) and "man − boy + dog ≈ ?" in texts(shipped)


def test_arithmetic_with_words_that_are_none(words):
    assert len(re.findall("does not know &#x27;boy&#x27;|does not know &#x27;man&#x27;", texts(words))) >= 2
    words.text_input(key="start").set_value("<b>").run()
    assert "&lt;b&gt; − boy" in texts(words) and not refusals(words)
    words.text_input(key="minus").set_value("").run()
    assert len(refusals(words)) == 1 and "One word is needed" in refusals(words)[0]


def test_coverage_counts_and_lists_every_row(shipped):
    assert "<th scope=\"row\">special words</th><td>0</td><td>4</td><td>4</td>" in shown(shipped)
    listed = shipped.dataframe[1].value
    assert len(listed) == 2540 and listed.loc["<pad>"].tolist() == ["learned with the decoder", "special words", "special words"]
    shipped.selectbox[0].set_value("special").run()
    assert list(shipped.dataframe[1].value.index) == ["<pad>", "<start>", "<end>", "<unk>"]


def test_a_damaged_table_is_refused_and_the_others_stay(copy):
    (copy / "learned" / "table.json").write_text("{")
    page = open_view("words").run()
    assert len(refusals(page)) == 1 and "table.json" in refusals(page)[0]
    assert not near(page, "learned") and near(page, "word2vec") and len(page.get("vega_lite_chart")) == 2
    assert not [label for label in near(page, "word2vec") if "in all three" in label]
    (copy / "word2vec" / "table.safetensors").unlink()
    page.run()
    assert len(refusals(page)) == 1, "a table once read is kept until the checkpoint changes"
    (copy / "word2vec" / "manifest.json").touch()
    page.run()
    assert len(refusals(page)) == 2 and near(page, "fasttext") and "Where two tables" not in [item.value for item in page.header]


def test_without_the_pieces_fasttext_says_so(copy):
    (copy / "fasttext" / "subwords.safetensors").unlink()
    page = open_view("words").run()
    page.text_input(key="word").set_value("redder").run()
    assert "There is no file" in texts(page) and "subwords.safetensors" in texts(page) and not near(page, "fasttext")


def test_without_any_table(tmp_path, monkeypatch):
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path))
    page = open_view("words").run()
    assert len(refusals(page)) == len(VARIANTS) and not page.text_input


def test_small_parts():
    assert escaped("a_b[c](d)") == r"a\_b\[c\]\(d\)" and escaped("été") == "été"
    assert shared_counts({"learned": ["a", "b"]}) == ""
    assert shared_counts({"learned": ["a", "b"], "fasttext": ["b"]}) == (
        "Neighbours in common, out of 2: Learned and FastText 1."
    )
    assert least([("a", 0.9), ("b", 0.1), ("c", 0.1)], 2) == [("b", 0.1), ("c", 0.1)]
    assert "in place 2" in answer_list([("a", 0.5), ("b", 0.4)], "b") and "first 2" in answer_list([("a", 0.5), ("b", 0.4)], "z")
    assert all(f"</span>{kind}</li>" in legend() for kind in KINDS)


def test_long_words_show_their_first_pieces():
    subwords = keep(Pieces(50, 3, 3), np.ones((50, 2)), ["cab"])
    told = pieces_of(subwords, "abc" * 30)
    assert told.count("<li>") == 60 and "The first 60 of 90 are shown" in told
    assert "<li><s>&lt;ab</s></li><li><s>abc</s></li><li><s>bca</s></li><li><b>cab</b></li>" in told


def test_tables_of_different_words_are_listed_together():
    one = EmbeddingTable(("a", "b"), np.eye(2), ("learned",) * 2, "<i>One</i>.")
    other = EmbeddingTable(("b", "c"), np.eye(2), ("trained", "missing"), "Other.")
    rows = origins({"learned": one, "word2vec": other})
    assert rows.loc["a"].tolist() == ["learned", ""] and rows.loc["c"].tolist() == ["", "missing"]
    assert "&lt;i&gt;One" in coverage_table({"learned": one, "word2vec": other})
