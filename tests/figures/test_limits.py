"""What decoders cannot do: the shipped sentences only where they are true, and others elsewhere."""

from captioner.figures.limits import LIMITS, limits_of


def test_limits_are_those_of_the_data_and_the_cnn():
    assert limits_of("flickr8k", 6000, 5, "flickr8k") == limits_of("flickr8k", None, 5, "flickr8k") == LIMITS
    as_it_comes = limits_of("flickr8k", 6000, 5, None)
    assert as_it_comes[:3] == LIMITS[:3] and "trained on with" not in as_it_comes[3]
    for adapted in ("coco", ""):
        assert "captioned photographs" in limits_of("flickr8k", 6000, 5, adapted)[3]
    few = limits_of("flickr8k", 48, 1, None)
    assert few[0].startswith("The decoders have seen 48 training photographs of the data set flickr8k, and know every word")
    many = limits_of("coco", 118287, 4, None)[0]
    assert "118,287 training photographs" in many and "the words that occurred 4 times or more" in many
    shapes = limits_of("shapes", 600, 1, None)
    assert len(shapes) == 2 and "drawings of a few shapes" in shapes[0] and "people" not in " ".join(shapes)
