"""Small data sets of files in each layout, as they are downloaded and as they go wrong."""

import json
from pathlib import Path

import pytest

from captioner.data import datasets
from captioner.data.datasets import Dataset, Record, by_set, is_joined, join, load, names_in, resplit, shapes
from captioner.data.images import read
from captioner.errors import DatasetError, ImageError

SHARED = Path(__file__).resolve().parents[3] / "shared"
NAMES = {"train": ["a.jpg", "b.jpg", "c.jpg"], "dev": ["d.jpg"], "test": ["e.jpg", "f.jpg"]}
ALL = [name for names in NAMES.values() for name in names]


def write(path, text, encoding="utf-8"):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode(encoding))


def photographs(folder, names=ALL):
    for name in names:
        write(folder / name, f"bytes of {name}")


def official(root, photographs_folder="Flicker8k_Dataset", text_folder="Flickr8k_text", end="\n", start=""):
    photographs(root / photographs_folder)
    text = root / text_folder
    lines = [f"{name}#{i}\tCaption {i} of {name} .{end}" for name in ALL for i in range(2)]
    write(text / "Flickr8k.token.txt", start + "".join(lines))
    for split, names in NAMES.items():
        write(text / f"Flickr_8k.{split}Images.txt", start + end.join(names) + end)
    return text


def by_split(root):
    photographs(root / "photographs")
    for split, names in NAMES.items():
        lines = [f"{name}#{i}\tCaption {i} of {name} .\n" for name in names for i in range(2)]
        write(root / f"captions.{split}.txt", "".join(lines))


def table(root, rows, end="\n", start=""):
    photographs(root / "Images")
    write(root / "captions.txt", start + end.join(["image,caption", *rows]) + end)


def coco(root, year="2017", captions="annotations", folder=""):
    for part, names in (("train", ["a.jpg", "b.jpg"]), ("val", ["c.jpg", "d.jpg", "e.jpg", "f.jpg"])):
        photographs(root / folder / f"{part}{year}", names)
        pictures = [{"id": number, "file_name": name, "height": 1} for number, name in enumerate(names)]
        said = [{"image_id": number, "id": number, "caption": f"Says {name}.\n"} for number, name in enumerate(names)]
        write(root / captions / f"captions_{part}{year}.json", json.dumps({"images": pictures, "annotations": said}))


def names_of(dataset):
    return {split: [record.name for record in records] for split, records in dataset.splits.items()}


def refused(root, match):
    with pytest.raises(DatasetError, match=match) as refusal:
        load(root)
    assert str(refusal.value).endswith(".")


@pytest.mark.parametrize("folder", ["Flicker8k_Dataset", "Flickr8k_Dataset", "Images", "Flickr8k_Dataset/Flicker8k_Dataset", "."])
@pytest.mark.parametrize("text", ["Flickr8k_text", "."])
def test_official_layout(tmp_path, folder, text):
    official(tmp_path, folder if folder != "." else text, text)
    dataset = load(str(tmp_path))
    assert dataset.name == "flickr8k" and names_of(dataset) == NAMES
    record = dataset.split("test")[1]
    assert record.captions == ("Caption 0 of f.jpg .", "Caption 1 of f.jpg .")
    assert record.read() == b"bytes of f.jpg"
    assert dataset.missing == dataset.uncaptioned == dataset.notes == () and dataset.dropped_captions == 0


def test_captions_by_split(tmp_path):
    root = tmp_path / "My+Own"
    by_split(root)
    dataset = load(root)
    assert dataset.name == "my-own" and names_of(dataset) == NAMES and dataset.notes == ()
    record = dataset.split("test")[1]
    assert record.captions == ("Caption 0 of f.jpg .", "Caption 1 of f.jpg .") and record.read() == b"bytes of f.jpg"
    assert {record.origin for records in dataset.splits.values() for record in records} == {"my-own"}
    (root / "photographs" / "b.jpg").unlink()
    assert load(root).missing == ("b.jpg",)


def test_captions_by_split_that_cannot_be_used_are_refused(tmp_path):
    by_split(tmp_path)
    dev = tmp_path / "captions.dev.txt"
    write(dev, "d.jpg#0\tA dog\n\nd.jpg A dog\n")
    refused(tmp_path, "captions.dev.txt, line 3: expected 'image.jpg#0<TAB>caption', but found")
    write(dev, "a.jpg#0\tA dog\n")
    refused(tmp_path, "'a.jpg' is in two splits, train and dev")
    write(dev, "\n")
    refused(tmp_path, "list of the split 'dev' is empty")
    dev.unlink()
    refused(tmp_path, "captions.dev.txt cannot be read")
    (tmp_path / "captions.test.txt").unlink()
    assert list(load(tmp_path).splits) == ["train"]
    by_split(tmp_path)
    (tmp_path / "photographs").rename(tmp_path / "pictures")
    refused(tmp_path, "There is no folder '.*photographs' with the photographs")


def test_line_ends_and_byte_order_marks_are_ignored(tmp_path):
    official(tmp_path, end=" \r\n", start="\ufeff")
    dataset = load(tmp_path)
    assert names_of(dataset) == NAMES
    assert dataset.split("train")[0].captions[0] == "Caption 0 of a.jpg ."


def test_what_is_left_out_is_named_and_counted(tmp_path):
    text = official(tmp_path)
    (tmp_path / "Flicker8k_Dataset" / "b.jpg").unlink()
    lines = ["a.jpg#0\t . ", "a.jpg#1\t", "a.jpg#2", "a.jpg#3\tA dog\twith\u2028a  hat"]
    lines += ["b.jpg#0\t", "d.jpg#0\tx", "e.jpg#0\t!", "f.jpg#0\tÉté"]
    write(text / "Flickr8k.token.txt", "\n\n".join(lines) + "\nelsewhere.jpg.1#0\tIn no split\n")
    dataset = load(tmp_path)
    assert names_of(dataset) == {"train": ["a.jpg"], "dev": ["d.jpg"], "test": ["f.jpg"]}
    assert dataset.split("train")[0].captions == ("A dog with a hat",)
    assert dataset.missing == ("b.jpg",) and dataset.uncaptioned == ("c.jpg", "e.jpg") and dataset.dropped_captions == 4
    assert [note.partition(": ")[2] for note in dataset.notes] == ["1 (b.jpg)", "2 (c.jpg, e.jpg)", "4"]


def test_a_caption_of_five_thousand_words_is_left_out(tmp_path):
    text, longest = official(tmp_path), " ".join(["a"] * datasets.LONGEST_CAPTION)
    lines = ["a.jpg#0\t" + "word " * 5_000, f"a.jpg#1\t{longest}", f"b.jpg#0\t{longest} b", "a.jpg#2\t" + "word," * 5_000]
    lines += [f"{name}.jpg#0\tx" for name in "cde"]
    write(text / "Flickr8k.token.txt", "\n".join(lines) + "\n")
    dataset = load(tmp_path)
    assert names_of(dataset) == {"train": ["a.jpg", "c.jpg"], "dev": ["d.jpg"], "test": ["e.jpg"]}
    assert dataset.split("train")[0].captions == (longest,) and dataset.long_captions == 3
    assert dataset.notes[-1] == "left out, captions of more than 100 words: 3" and "b.jpg" in dataset.uncaptioned


def test_lists_that_cannot_be_used_are_refused(tmp_path):
    text = official(tmp_path)
    lists = text / "Flickr_8k.devImages.txt"
    write(lists, "\r\n \n")
    refused(tmp_path, "list of the split 'dev' is empty")
    write(lists, "d.jpg\nb.jpg\n")
    refused(tmp_path, "'b.jpg' is in two splits, train and dev")
    write(lists, "nowhere.jpg\n")
    refused(tmp_path, "has no captioned photograph of the split 'dev'")
    write(lists, "d.jpg\nd.jpg\n")
    assert names_of(load(tmp_path)) == NAMES
    lists.unlink()
    refused(tmp_path, r"Flickr_8k.devImages.txt cannot be read \(No such file or directory\); put it into")


@pytest.mark.parametrize("line", ["a.jpg A dog", "a.jpg#0 A dog", "#0\tA dog", "a.jpg#x\tA dog"])
def test_a_malformed_line_is_named(tmp_path, line):
    text = official(tmp_path)
    write(text / "Flickr8k.token.txt", f"a.jpg#0\tA dog\n\n{line}\n")
    refused(tmp_path, "Flickr8k.token.txt, line 3: expected 'image.jpg#0<TAB>caption', but found")


def test_another_encoding_is_named_with_line_and_byte(tmp_path):
    text = official(tmp_path)
    write(text / "Flickr8k.token.txt", "a.jpg#0\tA dog\na.jpg#1\tCafé\n", "latin-1")
    refused(tmp_path, "Flickr8k.token.txt, line 2: byte 25 is not UTF-8; save the file as UTF-8")
    write(text / "Flickr8k.token.txt", "a.jpg#0\tA dog\n", "utf-16")
    refused(tmp_path, "Flickr8k.token.txt, line 1: byte 0 is not UTF-8")


def test_a_table_with_commas_and_quotation_marks(tmp_path):
    rows = ['a.jpg,"A dog , a ""big"" one"', "a.jpg,A cat, a hat , and a bat", 'a.jpg,A "loud" bird']
    rows += ["", "a.jpg, . ", 'a.jpg,"Two\nlines"']
    table(tmp_path, rows + [f"{name},x" for name in ALL[1:]])
    dataset = load(tmp_path)
    (record,) = (record for records in dataset.splits.values() for record in records if record.name == "a.jpg")
    assert record.captions == ('A dog , a "big" one', "A cat, a hat , and a bat", 'A "loud" bird', "Two lines")
    assert dataset.dropped_captions == 1


def test_a_table_is_split_by_name_whatever_its_order(tmp_path):
    everything = [f"{number}.jpg" for number in range(80)]
    photographs(tmp_path / "Images", everything)
    table(tmp_path, [f"{name},Caption {i}" for name in everything for i in range(2)])
    one = load(tmp_path)
    table(tmp_path, [f"{name},Caption {i}" for i in range(2) for name in reversed(everything)])
    other = load(tmp_path)
    assert names_of(one) == names_of(other)
    assert {split: len(records) for split, records in one.splits.items()} == {"train": 60, "dev": 10, "test": 10}
    assert sorted(sum(names_of(one).values(), [])) == sorted(everything)
    assert one.split("train")[0].captions == ("Caption 0", "Caption 1")
    assert [record.name for record in one.split("train")] != sorted(names_of(one)["train"])


def test_a_missing_photograph_does_not_move_others(tmp_path):
    table(tmp_path, [f"{name},A dog" for name in ALL], end="\r\n", start="\ufeff")
    before = names_of(load(tmp_path))
    assert sorted(sum(before.values(), [])) == ALL
    gone = before["train"][0]
    (tmp_path / "Images" / gone).unlink()
    after = load(tmp_path)
    assert names_of(after) == before | {"train": before["train"][1:]} and after.missing == (gone,)


@pytest.mark.parametrize(
    "text, match",
    [
        ("image,caption\na.jpg,fine\nb.jpg\n", "captions.txt, line 3: expected 'image.jpg,caption', but found 'b.jpg'"),
        ('image,caption\na.jpg,fine\nb.jpg,"A dog\nc.jpg,x\n', "captions.txt, line 3: .*; check the quotation marks"),
        ("image,caption\n", "list of the split 'train' is empty"),
        ("a.jpg,A dog\n", "captions.txt, line 1: expected 'image,caption', but found 'a.jpg,a dog'"),
    ],
)
def test_tables_that_cannot_be_used_are_refused(tmp_path, text, match):
    photographs(tmp_path / "Images")
    write(tmp_path / "captions.txt", text)
    refused(tmp_path, match)


@pytest.mark.parametrize("year, captions, folder", [("2017", "annotations", ""), ("2014", ".", "images")])
def test_coco(tmp_path, year, captions, folder):
    coco(tmp_path, year, captions, folder)
    dataset = load(tmp_path)
    found = names_of(dataset)
    assert dataset.name == f"coco{year}" and found["train"] == ["a.jpg", "b.jpg"]
    assert len(found["dev"]) == len(found["test"]) == 2
    assert sorted(found["dev"] + found["test"]) == ["c.jpg", "d.jpg", "e.jpg", "f.jpg"]
    assert found == names_of(load(tmp_path))
    for record in sum(dataset.splits.values(), ()):
        assert record.captions == (f"Says {record.name}.",) and record.read() == f"bytes of {record.name}".encode()


def test_coco_with_gaps(tmp_path):
    coco(tmp_path)
    (tmp_path / "train2017" / "a.jpg").unlink()
    path = tmp_path / "annotations" / "captions_train2017.json"
    content = json.loads(path.read_text())
    content["images"].append({"id": 7, "file_name": "silent.jpg"})
    content["annotations"] += [{"image_id": 1, "caption": " "}, {"image_id": 99, "caption": "Of a photograph that is not listed"}]
    write(path, json.dumps(content))
    photographs(tmp_path / "train2017", ["silent.jpg"])
    dataset = load(tmp_path)
    assert names_of(dataset)["train"] == ["b.jpg"]
    assert (dataset.missing, dataset.uncaptioned, dataset.dropped_captions) == (("a.jpg",), ("silent.jpg",), 1)


ONE_CAPTION = '{"images": [{"id": 1, "file_name": "c.jpg"}], "annotations": [{"image_id": 1, %s}]}'
NO_NAME = '{"images": [{"id": 1}], "annotations": []}'
NO_COCO = "captions_val2017.json is not a COCO captions file: expected images with id and file_name"


@pytest.mark.parametrize(
    "text, match",
    [
        ("[]", NO_COCO),
        ("{}", NO_COCO),
        (NO_NAME, NO_COCO),
        ('{"images": [], "annotations": 5}', NO_COCO),
        ("[" * 200_000, NO_COCO),
        (ONE_CAPTION % '"caption": null', NO_COCO),
        (ONE_CAPTION % '"said": "a dog"', NO_COCO),
        ('{"images": [\n{"id": 1,\n', "captions_val2017.json, line 3: not JSON"),
        (None, "captions_val2017.json cannot be read"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_json_that_is_not_coco_is_refused(tmp_path, text, match):
    coco(tmp_path)
    path = tmp_path / "annotations" / "captions_val2017.json"
    path.unlink() if text is None else write(path, text)
    refused(tmp_path, match)


def test_folders_that_hold_no_data_set_are_refused(tmp_path, monkeypatch):
    refused(tmp_path / "nowhere", "There is no folder '.*nowhere'; give the folder of a data set, or the word shapes")
    refused(tmp_path, "neither Flickr8k.token.txt nor captions.txt nor captions.train.txt nor annotations/captions_train2017")
    coco(tmp_path)
    (tmp_path / "val2017").rename(tmp_path / "elsewhere")
    refused(tmp_path, "There is no folder '.*val2017' with the photographs")
    monkeypatch.setattr(datasets.os, "scandir", lambda _: (_ for _ in ()).throw(PermissionError(13, "Permission denied")))
    refused(tmp_path, r"cannot be read \(Permission denied\)")


def test_a_missing_split_or_photograph(tmp_path):
    official(tmp_path)
    dataset = load(tmp_path)
    with pytest.raises(DatasetError, match="The data set flickr8k has no split 'val'; choose one of train, dev, test."):
        dataset.split("val")
    (record,) = dataset.split("dev")
    record.source.unlink()
    with pytest.raises(ImageError, match="'d.jpg' cannot be opened"):
        record.read()


def test_train_and_dev_joined():
    plain = shapes(7, 3, 2)
    joined = resplit(plain, "7000-1000")
    assert resplit(plain, "standard") is plain and joined.name == "shapes-7000-1000"
    assert is_joined(joined.name) and not is_joined(plain.name) and not is_joined("7000-1000-mine")
    assert joined.split("train") == plain.split("train") + plain.split("dev")
    assert joined.split("dev") == plain.split("dev") and joined.split("test") == plain.split("test")
    assert not set(joined.split("train")) & set(joined.split("test"))
    with pytest.raises(DatasetError, match="split as 'thirds'.*standard, 7000-1000"):
        resplit(plain, "thirds")


def small(name, dropped=0, **splits):
    """A data set by the names of its photographs."""
    records = {split: tuple(Record(one, (f"{name} {one}",), Path(one), name) for one in ones) for split, ones in splits.items()}
    return Dataset(name, records, missing=(f"{name}.jpg",), dropped_captions=dropped)


def test_data_sets_together():
    one = small("one", 1, train=["a", "b"], dev=["c"], test=["d"])
    two = small("two", 2, train=["a", "e"], dev=["d"], test=["f"])
    both = join([one, two])
    assert join([one]) is one and both.name == "one+two" and names_in(both.name) == ("one", "two")
    assert names_of(both) == {"train": ["a", "b", "two/a", "e"], "dev": ["c", "two/d"], "test": ["d", "f"]}
    assert [record.origin for record in both.split("train")] == ["one", "one", "two", "two"]
    assert [record.captions for record in both.split("dev")] == [("one c",), ("two d",)]
    assert both.missing == ("one.jpg", "two.jpg") and both.dropped_captions == 3 and both.held_out == ()
    assert names_of(both.shortened(3))["train"] == ["a", "b", "two/a"]
    joined = resplit(both, "7000-1000")
    assert is_joined(joined.name) and names_in(joined.name) == ("one", "two") and len(joined.split("train")) == 6
    with pytest.raises(DatasetError, match="Two data sets are called one; give each data set once, or rename a folder."):
        join([one, two, one])


def test_a_split_by_data_set():
    both = join([small("one", train=["a"], dev=["c"], test=["d"]), small("two", train=["e"], dev=["g"], test=["f", "h"])])
    found = {key: [record.name for record in records] for key, records in by_set(both, "test").items()}
    assert found == {"test": ["d"], "two test": ["f", "h"]} and list(by_set(shapes(1, 1, 1), "dev")) == ["dev"]


def test_what_one_data_set_holds_out_no_other_trains_on():
    """COCO and Flickr number their photographs; an equal name without such a number may be another photograph."""
    one = small("one", train=["1.jpg", "000000000001.jpg"], dev=["000000000002.jpg"], test=["1000268201_693b08cb0e.jpg"])
    two = small(
        "two", train=["coco_000000000002.jpg", "1000268201.jpg", "coco_000000000001.jpg"], dev=["1.jpg"],
        test=["COCO_val2014_000000000002.jpg"],
    )  # fmt: skip
    both = join([one, two])
    assert names_of(both) == {
        "train": ["1.jpg", "000000000001.jpg", "coco_000000000001.jpg"], "dev": ["two/1.jpg"],
        "test": ["1000268201_693b08cb0e.jpg", "COCO_val2014_000000000002.jpg"],
    }  # fmt: skip
    assert both.held_out == ("coco_000000000002.jpg", "1000268201.jpg", "000000000002.jpg")
    assert "left out, photographs that another data set holds out: 3 (coco_000000000002.jpg, " in both.notes[1]


def test_the_first_training_photographs_alone():
    plain = shapes(5, 2, 1)
    few = plain.shortened(3)
    assert few.split("train") == plain.split("train")[:3] and few.split("dev") == plain.split("dev")


def test_generated_shapes():
    dataset = load("shapes")
    assert {split: len(records) for split, records in dataset.splits.items()} == {"train": 600, "dev": 100, "test": 100}
    record = dataset.split("dev")[0]
    assert read(record.read(), record.name).shape == (96, 96, 3) and len(record.captions) == 5
    assert len({record.name for records in dataset.splits.values() for record in records}) == 800


def test_generated_shapes_depend_on_seed_and_place_alone():
    few, many, other = (shapes(*counts, seed=seed) for counts, seed in (((3, 2, 1), 5), ((6, 2, 4), 5), ((3, 2, 1), 6)))
    assert few.split("train") == many.split("train")[:3] and few.split("test") == many.split("test")[:1]
    assert [record.read() for record in few.split("train")] == [record.read() for record in many.split("train")[:3]]
    assert few.split("train") != other.split("train")
    assert few.split("train")[0].captions != few.split("dev")[0].captions
    with pytest.raises(DatasetError, match="Pictures of 8 pixels are too small.*32 or more"):
        shapes(size=8)


@pytest.mark.skipif(not (SHARED / "flickr8k").is_dir(), reason="Flickr8k is not here.")
def test_flickr8k():
    dataset = load(SHARED / "flickr8k")
    assert {split: len(records) for split, records in dataset.splits.items()} == {"train": 5999, "dev": 1000, "test": 1000}
    assert dataset.missing == ("3050606344_af711c726c.jpg",) and dataset.uncaptioned == () and dataset.dropped_captions == 0
    assert all(len(record.captions) == 5 for records in dataset.splits.values() for record in records)
    assert read(dataset.split("test")[0].read()).shape == (224, 224, 3)
