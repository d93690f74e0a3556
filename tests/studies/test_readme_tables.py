"""A README's tables are those of the results, or the check says so."""

import pytest

from ecgclip.errors import DataError
from ecgclip.studies.readme_tables import keep_tables

TEXT = (
    "above\n<!-- table:a -->\nold\n<!-- /table:a -->\nbetween\n<!-- table:b -->\n<!-- /table:b -->\nbelow\n"
)


@pytest.fixture
def readme(tmp_path):
    path = tmp_path / "README.md"
    path.write_text(TEXT, encoding="utf-8")
    return path


def test_tables_are_written_between_their_markers_and_nothing_else_changes(readme):
    keep_tables(readme, {"a": ["| 1 |", r"| \1 |"]})
    assert readme.read_text(encoding="utf-8") == TEXT.replace("old", "| 1 |\n| \\1 |")
    keep_tables(readme, {"a": ["| 1 |", r"| \1 |"]}, check=True)


def test_one_other_digit_is_told_and_left_alone(readme):
    with pytest.raises(DataError, match="not those of the results"):
        keep_tables(readme, {"a": ["ole"]}, check=True)
    assert readme.read_text(encoding="utf-8") == TEXT


def test_an_absent_marker_is_named_and_nothing_is_written(readme):
    with pytest.raises(DataError, match="marker table:c is absent"):
        keep_tables(readme, {"a": ["new"], "c": []})
    assert readme.read_text(encoding="utf-8") == TEXT
