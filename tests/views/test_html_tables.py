"""Tables as HTML, read back by a parser."""

from xml.etree import ElementTree

from captioner.views.html_tables import row, table


def test_headings_and_cells_stand_where_they_belong():
    made = table(["", "A", "B"], [row("first", "1", "<b>2</b>"), row("second", "3", "4", style="total")], "What & why")
    read = [["".join(cell.itertext()) for cell in line] for line in ElementTree.fromstring(made).iter("tr")]
    assert read == [["", "A", "B"], ["first", "1", "2"], ["second", "3", "4"]]
    assert made.count('<th scope="col">') == made.count('<th scope="row">') == 2 and '<tr class="total">' in made
    assert '<table class="plain"><caption>What &amp; why</caption>' in made


def test_a_cell_may_reach_over_several_columns():
    assert row("both", "same", span=2) == '<tr><th scope="row">both</th><td colspan="2">same</td></tr>'


def test_the_box_can_be_reached_by_keyboard_and_has_a_name():
    made = table(["a"], [], '<a "label">', "figures", captioned=False)
    assert made.startswith('<div class="scroll" role="region" tabindex="0" aria-label="&lt;a &quot;label&quot;&gt;">')
    assert "<caption>" not in made and '<table class="figures">' in made
