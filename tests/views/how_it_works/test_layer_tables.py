"""The tables of the page How it works: every layer and every property, and nothing in them that is not escaped."""

import re
from dataclasses import replace

from captioner.config import VARIANTS
from captioner.figures.decoder.architecture import read_architecture
from captioner.figures.decoder.differences import Property
from captioner.views.how_it_works import layer_tables
from support.fakes import MARK, small_checkpoint


def headings(page: str) -> list[str]:
    return re.findall("<h3>(.*?)</h3>", page)


def rows(page: str) -> dict[str, list[str]]:
    found = re.findall(r'<tr(?: class="\w*")?><th scope="row">(.*?)</th>(.*?)</tr>', page)
    return {name: re.findall("<td.*?>(.*?)</td>", cells) for name, cells in found}


def test_decoders_alike_share_a_table_that_says_where_they_differ():
    page = layer_tables.layers(read_architecture({name: small_checkpoint(name, mark=MARK) for name in VARIANTS}))
    assert headings(page) == ["Shared by all", "Learned, Word2Vec and FastText"]
    found = rows(page)
    assert found["CNN"][2:] == ["not counted here", "", "frozen"] and found["Grid"][1:3] == ["3 × 3 × 6", "none"]
    assert found["Word vectors"][1:] == ["6", "72", "12 × 6", "trained in Learned; frozen in Word2Vec and FastText"]
    assert found["Hidden layer"][1:] == ["5", "85", "(16 + 1) × 5", "trained"]
    total = sum(int(cells[2]) for cells in found.values() if cells[2].isdigit() and cells is not found["Together"])
    assert int(found["Together"][2]) == total == small_checkpoint().build().count_params()
    assert found["Together"][4] == f"trained: {total} of Learned, {total - 72} of Word2Vec, {total - 72} of FastText"


def test_decoders_of_different_shapes_have_tables_of_their_own():
    checkpoints = {"learned": small_checkpoint(mark=MARK), "fasttext": small_checkpoint("fasttext", mark=MARK, layers=2)}
    assert headings(layer_tables.layers(read_architecture(checkpoints))) == ["Shared by all", "Learned", "FastText"]


def test_what_is_the_same_comes_first_and_is_told_once():
    variants = list(VARIANTS.values())
    found = [Property("Vectors", ("a", "<b>", "c"), False), Property("Seed", ("1", "1", "1"), True)]
    page = layer_tables.comparison(variants, found)
    assert list(rows(page).items()) == [("Seed", ["<span>the same: 1</span>"]), ("Vectors", ["a", "&lt;b&gt;", "c"])]
    assert '<td colspan="3"><span>the same: 1</span></td>' in page
    alone = layer_tables.comparison(variants[:1], [replace(row, values=row.values[:1], same=True) for row in found])
    assert "the same" not in alone


def test_whatever_a_checkpoint_says_is_escaped():
    found = [Property("<b>", ("<i>",), False), Property("<b>", ("<i>", "<i>"), True)]
    page = layer_tables.comparison(list(VARIANTS.values())[:2], found)
    assert "<i>" not in page and "<b>" not in page and page.count("&lt;i&gt;") == 2
