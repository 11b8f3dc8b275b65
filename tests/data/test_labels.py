"""Labelled photographs: their file, and the tenth that is held out."""

import pytest

from captioner.data.labels import held_out, load_labels, mark
from captioner.errors import DatasetError


def write(folder, *lines):
    (folder / "labelled").mkdir(exist_ok=True)
    for line in lines:
        (folder / "labelled" / line.partition("\t")[0]).write_bytes(line.encode())
    (folder / "labels.tsv").write_text("\n".join(lines) + "\n")


def test_every_photograph_is_in_one_part(tmp_path):
    folder = tmp_path / "Own"
    folder.mkdir()
    write(folder, *(f"{number}.jpg\troom with chair, desk" for number in range(30)), "x.jpg\tcat")
    (folder / "labelled" / "7.jpg").unlink()
    found = load_labels(folder)
    assert found.name == "own" and found.missing == ("7.jpg",) and len(found.train) + len(found.held_out) == 30
    names = {record.name for record in (*found.train, *found.held_out)}
    assert len(names) == 30 and {record.origin for record in found.train} == {"own"}
    record = found.held_out[0]
    assert record.label == "room with chair, desk" and record.captions == () and record.read().decode().startswith(record.name)


def test_the_mark_follows_from_names_and_labels(tmp_path):
    marks = []
    for lines in (("a.jpg\tcat", "b.jpg\tdog"), ("b.jpg\tdog", "a.jpg\tcat"), ("a.jpg\tcat", "b.jpg\tcat"), ("a.jpg\tcat",)):
        write(tmp_path, *lines)
        found = load_labels(tmp_path)
        marks.append(mark([*found.train, *found.held_out]))
    assert marks[0] == marks[1] and len(set(marks)) == 3 and all(one.startswith(f"{found.name}-") for one in marks)


def test_a_tenth_is_held_out_by_label_and_name_alone():
    names = [f"{number}.jpg" for number in range(4000)]
    many = dict.fromkeys(names[:1000], "cat") | dict.fromkeys(names[1000:1010], "bus")
    single = {name: f"class {name}" for name in names[1010:]}
    found = held_out(many | single)
    assert len(found & set(names[:1000])) == 100 and len(found & set(names[1000:1010])) == 1
    assert 240 < len(found & set(single)) < 360  # 299 are expected.
    assert found == held_out(dict(reversed((single | many).items())))
    assert found & set(single) == held_out(single)
    assert held_out({"0.jpg": "cat"}) <= {"0.jpg"} and held_out({}) == set()


@pytest.mark.parametrize(
    ("line", "match"),
    [
        ("b.jpg cat", "labels.tsv, line 2: expected 'image.jpg<TAB>label', but found 'b.jpg cat'"),
        ("b.jpg\t-", "labels.tsv, line 2: expected"),
        ("\tcat", "labels.tsv, line 2: expected"),
        ("a.jpg\tdog", "line 2: 'a.jpg' already has the label 'cat'"),
    ],
)
def test_a_line_that_cannot_be_used_is_named(tmp_path, line, match):
    write(tmp_path, "a.jpg\tcat")
    (tmp_path / "labels.tsv").write_text(f"a.jpg\tcat\n{line}\n")
    with pytest.raises(DatasetError, match=match):
        load_labels(tmp_path)


def test_folders_that_cannot_be_used_are_refused(tmp_path):
    with pytest.raises(DatasetError, match="labels.tsv cannot be read"):
        load_labels(tmp_path)
    (tmp_path / "labels.tsv").write_text("a.jpg\tcat\n")
    with pytest.raises(DatasetError, match="labelled' cannot be read .*; put the photographs there."):
        load_labels(tmp_path)
    (tmp_path / "labelled").mkdir()
    with pytest.raises(DatasetError, match="has no photograph of those in labels.tsv"):
        load_labels(tmp_path)
