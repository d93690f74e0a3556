"""Reports without recordings: PTB-XL's table alone, manifests, stores."""

import csv

import pytest

from ecgclip.corpora import open_corpus, open_reports
from ecgclip.errors import DataError, UsageError

REPORTS = ["sinus rhythm.", "", "vorhofflimmern", "  ", "linkshypertrophie"]


@pytest.fixture
def table_alone(tmp_path):
    """PTB-XL's table for five recordings that are not there; the last is in fold 9."""
    with (tmp_path / "ptbxl_database.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(
            ["ecg_id", "patient_id", "report", "scp_codes", "strat_fold", "filename_lr", "filename_hr"]
        )
        for k, report in enumerate(REPORTS, start=1):
            paths = [f"records{rate}/00000/{k:05d}_{end}" for rate, end in ((100, "lr"), (500, "hr"))]
            writer.writerow([k, f"{k}.0", report, "{'NORM': 100.0}", 9 if k == 5 else k, *paths])
    return tmp_path


def test_a_table_alone_gives_its_reports_with_folds(table_alone):
    found = open_reports(table_alone)
    assert list(found.columns) == ["record_id", "patient_id", "split", "fold", "report"]
    assert found["report"].tolist() == ["sinus rhythm.", "vorhofflimmern", "linkshypertrophie"]
    assert found["fold"].tolist() == [1, 3, 9]
    assert open_reports(table_alone, split="validation")["record_id"].tolist() == ["00005_lr"]
    with pytest.raises(DataError, match="none of its 5 recordings"):
        open_corpus("auto", table_alone)


def test_what_has_no_reports_or_no_such_part_is_told(table_alone, tmp_path, tiny_store):
    with pytest.raises(DataError, match="test"):
        open_reports(table_alone, split="test")
    with pytest.raises(UsageError, match="validation"):
        open_reports(table_alone, split="validatoin")
    with pytest.raises(DataError, match="absent"):
        open_reports(tmp_path / "absent")
    assert len(open_reports(tiny_store.path, split="train")) > 100


def test_the_command_counts_words_and_lists_what_is_unread(table_alone, capsys):
    from ecgclip.cli import main

    assert main(["reports", "--data", str(table_alone), "--split", "all"]) == 0
    rows = {line.split()[0]: line.split() for line in capsys.readouterr().out.splitlines()}
    assert rows["all"][1:3] == ["3", "4"]
    assert rows["all"][-1] == "100.0%"
