"""The Altair chart: its marks, colours, dashes and what the pointer tells, as they stand in the specification."""

import pytest

from captioner.config import VARIANTS
from captioner.figures.curves.histories import read_run
from captioner.figures.curves.loss_chart import hover_rows, loss_chart
from captioner.figures.curves.loss_data import MINUTES, LossPlot, LossView
from support.factories import history, write, write_run, write_seeds
from support.fakes import rewarded


@pytest.fixture
def curves(tmp_path):
    return tuple(read_run(write_run(tmp_path))[0])


def layers(curves, view=LossView()):
    return loss_chart(LossPlot(tuple(curves), view)).to_dict()["layer"]


def marks(found, kind):
    return [layer for layer in found if layer["mark"]["type"] == kind]


def test_each_decoder_has_its_colour_and_dash(curves):
    line = marks(layers(curves), "line")[0]["encoding"]
    colour, dash = line["color"]["scale"], line["strokeDash"]["scale"]
    assert colour["domain"] == dash["domain"] == ["Learned", "Word2Vec", "FastText"]
    assert colour["range"] == [variant.colour for variant in VARIANTS.values()]
    assert dash["range"] == [list(variant.dash) for variant in VARIANTS.values()]
    training, dev = marks(layers(curves), "line")
    assert training["mark"]["strokeWidth"] < dev["mark"]["strokeWidth"] and training["mark"]["opacity"] < 1


def test_the_best_epochs_are_dots_with_names(curves):
    found = layers(curves)
    assert len(marks(found, "point")) == 1
    sides = [layer["transform"][0]["filter"] for layer in marks(found, "text")]
    assert sides == ["datum.align == 'right'", "datum.align == 'left'"]


def test_smoothing_puts_faint_lines_behind(curves):
    lines = marks(layers(curves, LossView(smoothing=0.5)), "line")
    assert [line["encoding"]["y"]["field"] for line in lines] == ["raw", "raw", "loss", "loss"]
    assert lines[1]["mark"]["opacity"] < 0.5 < lines[3]["mark"]["opacity"]


@pytest.mark.parametrize(("log", "kind"), [(True, "log"), (False, None)])
def test_the_axis_of_losses_is_logarithmic_when_asked_for(curves, log, kind):
    scale = marks(layers(curves, LossView(log=log)), "line")[0]["encoding"]["y"]["scale"]
    assert scale.get("type") == kind and scale["domain"][0] < 2.5 and scale["domain"][1] > 4.2


def test_several_seeds_have_a_band(curves, tmp_path):
    assert not marks(layers(curves), "area")
    areas = marks(layers(read_run(write_seeds(tmp_path / "seeds"))[0]), "area")
    assert [area["encoding"]["y2"]["field"] for area in areas] == ["high", "high"]


def test_stages_that_begin_apart_have_their_names_one_above_the_other(tmp_path):
    for name in VARIANTS:
        write(tmp_path, name, rewarded(history(name)))
    found = layers(read_run(tmp_path)[0])
    names = [layer["mark"]["dy"] for layer in marks(found, "text") if "dy" in layer["mark"]]
    assert len(marks(found, "rule")) == 3 + 1 + 1  # the stages, the poles of the names, the pointer
    assert len(set(names)) == 3


def test_the_course_is_drawn_thinner_and_beaded(curves):
    lines = marks(layers(curves, LossView(course=True)), "line")
    assert lines[2]["mark"]["point"] and lines[2]["mark"]["strokeWidth"] < lines[0]["mark"]["strokeWidth"]


def test_the_pointer_tells_all_measured_losses_of_an_epoch(curves):
    rows = hover_rows(LossPlot(curves, LossView(smoothing=0.5)))
    told = [f"{variant.title}, {split}" for variant in VARIANTS.values() for split in ("training", "dev")]
    assert [column for column in rows if column not in ("epoch", "place")] == told
    assert rows.iloc[1].tolist()[:-1] == [2, "3.000", "3.000", "3.200", "3.200", "–", "–"]
    tooltip = layers(curves)[-1]["encoding"]["tooltip"]
    assert [item["field"] for item in tooltip] == ["epoch", *told]


def test_over_minutes_the_pointer_tells_the_losses_of_one_decoder(curves):
    rows = hover_rows(LossPlot(curves, LossView(axis=MINUTES)))
    assert len(rows) == 3 + 2 + 1
    assert rows[rows.decoder == "Learned"].iloc[2].tolist()[1:] == ["Learned", 3, "1.0", "2.500", "3.100"]


def test_one_curve_of_one_epoch_can_be_drawn(curves):
    assert layers(curves[2:]) and layers(curves[2:], LossView(log=True, axis=MINUTES))
