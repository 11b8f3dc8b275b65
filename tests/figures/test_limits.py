"""The limits of decoders: the shipped sentences only where they are true."""

from captioner.figures.limits import LIMITS, limits_of


def test_limits_are_those_of_the_data_and_the_cnn():
    assert limits_of("flickr8k", 6000, 5, "flickr8k") == limits_of("flickr8k", None, 5, "flickr8k") == LIMITS
    original = limits_of("flickr8k", 6000, 5, None)
    assert original[:3] == LIMITS[:3] and "fine-tuned" not in original[3]
    for adapted in ("coco", ""):
        assert "captioned photographs" in limits_of("flickr8k", 6000, 5, adapted)[3]


def test_other_data_and_numbers_are_named():
    few, *others = limits_of("flickr8k", 48, 1, None)
    assert "48 photographs of the data set flickr8k" in few and "at least 1" in few and tuple(others[:2]) == LIMITS[1:3]
    many = limits_of("coco", 118287, 4, None)[0]
    assert "118,287 photographs" in many and "at least 4" in many
    assert "unknown number" in limits_of("coco", None, 5, None)[0] and "unrecorded" in limits_of(None, 7, 5, None)[0]
    shapes = limits_of("shapes", 600, 1, None)
    assert len(shapes) == 2 and "drawings of a few shapes" in shapes[0] and "people" not in " ".join(shapes)
