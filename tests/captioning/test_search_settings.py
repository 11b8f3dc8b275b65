import pytest

from captioner.captioning.search_settings import load_search_config
from captioner.errors import CheckpointError, ConfigError


@pytest.mark.parametrize(
    ("content", "error"),
    [
        ("{}", CheckpointError),
        ("[1]", CheckpointError),
        ("no", CheckpointError),
        ('{"beam": 0, "length_preference": 1}', ConfigError),
    ],
)
def test_a_setting_that_cannot_be_is_refused(content, error, tmp_path):
    (tmp_path / "search.json").write_text(content)
    with pytest.raises(error):
        load_search_config(tmp_path)
