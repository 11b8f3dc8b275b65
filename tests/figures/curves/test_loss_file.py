"""The figure in a file: the same lines as on the page, in the decoders' colours and dashes."""

from io import BytesIO
from xml.etree import ElementTree

import pytest
from matplotlib.colors import to_hex
from PIL import Image

from captioner.config import VARIANTS
from captioner.figures.curves.histories import read_run
from captioner.figures.curves.loss_data import LossPlot, LossView
from captioner.figures.curves.loss_file import loss_figure, loss_file
from support.factories import history, write, write_run, write_seeds


@pytest.fixture
def curves(tmp_path):
    return tuple(read_run(write_run(tmp_path))[0])


def axes(curves, view=LossView()):
    return loss_figure(LossPlot(tuple(curves), view)).axes[0]


def test_lines_are_those_of_the_histories(curves):
    lines = {line.get_label(): line for line in axes(curves).lines}
    assert lines["Learned, dev"].get_ydata().tolist() == [3.5, 3.0, 3.1]
    assert lines["Word2Vec, training"].get_ydata().tolist() == [4.2, 3.2]
    for variant in VARIANTS.values():
        assert to_hex(lines[f"{variant.title}, dev"].get_color()).upper() == variant.colour
    assert lines["Learned, dev"].get_linewidth() > lines["Learned, training"].get_linewidth()
    assert len({str(lines[f"{variant.title}, dev"]._dash_pattern) for variant in VARIANTS.values()}) == len(VARIANTS)


def test_best_epochs_are_named(curves):
    assert "Learned: best epoch 2" in {text.get_text() for text in axes(curves).texts}


@pytest.mark.slow
def test_log_smoothing_seeds_stage_and_course_are_drawn(tmp_path):
    run = write_seeds(tmp_path)
    for name in VARIANTS:
        write(run, name, history(name, [(4.0, 3.5), (3.0, 3.0)], earlier=1))
    plain = axes(read_run(run)[0])
    drawn = axes(read_run(run)[0], LossView(log=True, smoothing=0.5, course=True))
    assert drawn.get_yscale() == "log" and plain.get_yscale() == "linear"
    assert len(drawn.lines) == len(plain.lines) + 2 * len(VARIANTS) + 2
    assert {"second stage begins ", "Course project: Word2Vec"} <= {text.get_text() for text in drawn.texts}
    assert plain.collections  # the band of the two seeds


@pytest.mark.slow
def test_files_are_what_their_names_say_and_the_same_each_time(curves):
    plot = LossPlot(curves, LossView())
    assert Image.open(BytesIO(loss_file(plot, "png"))).size[0] > 1000
    assert ElementTree.fromstring(loss_file(plot, "svg")).tag.endswith("svg")
    assert loss_file(plot, "svg") == loss_file(plot, "svg")
