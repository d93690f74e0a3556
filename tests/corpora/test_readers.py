import csv
import shutil

import numpy as np
import pandas as pd
import pytest

from ecgclip.corpora import detect_corpus, label_set, open_corpus
from ecgclip.errors import DataError, UsageError


def test_ptb_xl_folds_labels_and_reports(real_data):
    corpus = open_corpus("ptb-xl", real_data / "ptb-xl")
    assert [len(corpus.select(split=split)) for split in ("train", "validation", "test")] == [2865, 416, 403]
    row = corpus.row(0)
    assert row["record_id"] == "00001_lr"
    assert row["patient_id"] == "15709"
    assert row["codes"] == ["NORM", "LVOLT", "SR"]
    assert row["report"] == "sinusrhythmus periphere niederspannung"
    assert row["code_system"] == "scp"
    record = corpus.record(0)
    assert record.fs == 100
    assert record.signal.shape == (12, 1000)
    assert corpus.table["patient_id"].nunique() == 3531


def test_ptb_xl_at_500_hz_goes_on_with_a_part_only_when_told(real_data):
    with pytest.raises(DataError, match="3624 of 3684 recordings are absent"):
        open_corpus("ptb-xl", real_data / "ptb-xl", rate=500)
    corpus = open_corpus("ptb-xl", real_data / "ptb-xl", rate=500, allow_missing=True)
    assert (len(corpus), len(corpus.missing)) == (60, 3624)
    assert corpus.record(0).fs == 500
    with pytest.raises(UsageError, match="100 and 500"):
        open_corpus("ptb-xl", real_data / "ptb-xl", rate=250)


def ptb_table(real_data, folder, change):
    rows = pd.read_csv(real_data / "ptb-xl" / "ptbxl_database.csv", dtype=str, keep_default_na=False)
    change(rows)
    rows.to_csv(folder / "ptbxl_database.csv", index=False)
    return folder


def test_ptb_xl_folds_that_split_a_patient_are_refused(real_data, tmp_path):
    def share(rows):
        rows.loc[1, "patient_id"] = rows.loc[0, "patient_id"]
        rows.loc[1, "strat_fold"] = "9"

    with pytest.raises(DataError, match=r"patient 15709 is in folds 3, 9"):
        open_corpus("ptb-xl", ptb_table(real_data, tmp_path, share))


def test_ptb_xl_table_faults_are_named(real_data, tmp_path):
    def break_codes(rows):
        rows.loc[4, "scp_codes"] = "NORM"

    with pytest.raises(DataError, match="line 6: scp_codes 'NORM'"):
        open_corpus("ptb-xl", ptb_table(real_data, tmp_path, break_codes))
    with pytest.raises(DataError, match="strat_fold outside 1 to 10"):
        open_corpus(
            "ptb-xl",
            ptb_table(real_data, tmp_path, lambda rows: rows.loc.__setitem__((0, "strat_fold"), "0")),
        )
    with pytest.raises(DataError, match="no column 'strat_fold'"):
        open_corpus(
            "ptb-xl",
            ptb_table(real_data, tmp_path, lambda rows: rows.drop(columns="strat_fold", inplace=True)),
        )


def test_cpsc_as_first_published(real_data):
    with pytest.raises(DataError, match="6871 of 6877 recordings are absent"):
        open_corpus("cpsc2018", real_data / "cpsc2018")
    corpus = open_corpus("cpsc2018", real_data / "cpsc2018", allow_missing=True)
    assert dict(zip(corpus.table["record_id"], corpus.table["codes"], strict=True)) == {
        "A1980": ["PAC"],
        "A1981": ["STD"],
        "A1982": ["I-AVB"],
        "A1983": ["Normal"],
        "A1984": ["STD"],
        "A1985": ["STD"],
    }
    assert corpus.record(0).fs == 500


def test_cpsc_reference_totals_are_the_official_ones(real_data, tmp_path):
    with open(real_data / "cpsc2018" / "REFERENCE.csv", newline="", encoding="utf-8-sig") as file:
        names = [row["Recording"] for row in csv.DictReader(file)]
    for name in names:
        (tmp_path / f"{name}.mat").touch()
    shutil.copy(real_data / "cpsc2018" / "REFERENCE.csv", tmp_path)
    corpus = open_corpus("cpsc2018", tmp_path)
    totals = label_set("cpsc2018").matrix(corpus.table).sum(0).tolist()
    assert totals == [918, 1221, 722, 236, 1857, 616, 700, 869, 220]


def test_cpsc_labels_outside_one_to_nine_are_refused(real_data, tmp_path):
    (tmp_path / "REFERENCE.csv").write_text("Recording,First_label,Second_label,Third_label\nA0001,5,12,\n")
    with pytest.raises(DataError, match="line 2: label '12'"):
        open_corpus("cpsc2018", tmp_path)


def test_cpsc_in_challenge_form_has_the_same_classes(real_data):
    corpus = open_corpus("cpsc2018", real_data / "challenge2020-cpsc")
    totals = dict(
        zip(
            label_set("cpsc2018").codes,
            label_set("cpsc2018").matrix(corpus.table).sum(0).tolist(),
            strict=True,
        )
    )
    assert len(corpus) == 90
    assert totals == {
        "Normal": 13, "AF": 14, "I-AVB": 3, "LBBB": 4, "RBBB": 20, "PAC": 8, "PVC": 11, "STD": 11, "STE": 8,
    }  # fmt: skip


def test_challenge_reads_snomed_codes_and_headers_named_after_a_file(real_data):
    corpus = open_corpus("challenge", real_data / "challenge2021")
    assert len(corpus) == 70
    rows = corpus.table.set_index("record_id")
    assert rows.loc["E07938", "codes"] == ["284470004"]
    assert {name[:2] for name in rows.index} >= {"HR", "JS", "E0", "A2"}
    assert set(rows["code_system"]) == {"snomed"}
    assert corpus.record(rows.index.get_loc("E07938")).signal.shape == (12, 5000)
    totals = dict(
        zip(
            label_set("challenge-2021").codes,
            label_set("challenge-2021").matrix(corpus.table).sum(0).tolist(),
            strict=True,
        )
    )
    assert (totals["AF"], totals["NSR"], totals["STach"]) == (2, 26, 17)


def test_reduced_lead_folders_keep_record_ids_apart(real_data):
    corpus = open_corpus("challenge", real_data / "challenge2021-reduced")
    assert len(corpus) == 15
    assert corpus.table["record_id"].is_unique


def test_challenge_split_is_keyed_by_record(real_data):
    whole = open_corpus("challenge", real_data / "challenge2021", split_seed=3)
    assert set(whole.table["split"]) == {"train", "validation", "test"}
    again = open_corpus("challenge", real_data / "challenge2021", split_seed=3)
    assert whole.hash == again.hash
    assert whole.hash != open_corpus("challenge", real_data / "challenge2021", split_seed=4).hash


def test_headers_without_signals_and_unreadable_diagnoses(real_data, tmp_path):
    for name in ("A0001.hea", "A0001.mat", "A0002.hea"):
        shutil.copy(real_data / "challenge2020-cpsc" / name, tmp_path)
    with pytest.raises(DataError, match="1 of 2 recordings"):
        open_corpus("challenge", tmp_path)
    assert len(open_corpus("challenge", tmp_path, allow_missing=True)) == 1
    text = (tmp_path / "A0001.hea").read_text().replace("#Dx: RBBB", "#Dx: RBBB,headache")
    (tmp_path / "A0001.hea").write_text(text)
    with pytest.raises(DataError, match="'headache'"):
        open_corpus("challenge", tmp_path, allow_missing=True)


def test_records_without_labels(real_data):
    one = open_corpus("auto", real_data / "ptb-xl" / "records100" / "00000" / "00001_lr")
    assert len(one) == 1
    assert one.record(0).signal.shape == (12, 1000)
    with pytest.raises(DataError, match="carry no labels"):
        label_set("ptbxl-superclass").matrix(one.table)
    assert len(open_corpus("records", real_data / "cpsc2018")) == 6


@pytest.mark.parametrize(
    ("place", "name"),
    [
        ("ptb-xl", "ptb-xl"),
        ("cpsc2018", "cpsc2018"),
        ("challenge2020-cpsc", "cpsc2018"),
        ("challenge2021", "challenge"),
        ("challenge2021-reduced", "challenge"),
        ("mimic-iv-ecg-samples", "mimic-iv-ecg"),
        ("wfdb-samples", "records"),
        ("ptb-xl/records100/00000/00001_lr.hea", "records"),
        ("ptb-xl/records100/00000", "records"),
    ],
)
def test_forms_are_told_apart(real_data, place, name):
    assert detect_corpus(real_data / place) == name


def test_absent_places_and_unknown_names(tmp_path):
    with pytest.raises(DataError, match="no such file or folder"):
        open_corpus("ptb-xl", tmp_path / "none")
    with pytest.raises(DataError, match="no such recording"):
        open_corpus("auto", tmp_path / "none")
    with pytest.raises(UsageError, match="did you mean ptb-xl"):
        open_corpus("ptbxl", tmp_path)
    with pytest.raises(UsageError, match="rate does not apply"):
        open_corpus("challenge", tmp_path, rate=100)
    with pytest.raises(DataError, match="holds no WFDB header"):
        open_corpus("auto", tmp_path)


MIMIC_LEADS = ["I", "II", "III", "aVR", "aVF", "aVL", "V1", "V2", "V3", "V4", "V5", "V6"]


def write_mimic(folder, real_data, studies):
    """MIMIC-IV-ECG's exact form: 500 Hz, 5000 samples, aVF before aVL, gain 200, tables in unlike order."""
    import wfdb

    header = (real_data / "mimic-iv-ecg-samples" / "machine_measurements.csv").read_text().splitlines()[0]
    columns = header.split(",")
    listed, measured = [], []
    rng = np.random.default_rng(0)
    for subject, study, reports in studies:
        place = f"files/p{subject[:4]}/p{subject}/s{study}"
        (folder / place).mkdir(parents=True)
        wfdb.wrsamp(
            study,
            fs=500,
            units=["mV"] * 12,
            sig_name=MIMIC_LEADS,
            p_signal=rng.normal(0, 0.3, (5000, 12)).round(3),
            fmt=["16"] * 12,
            adc_gain=[200.0] * 12,
            baseline=[0] * 12,
            write_dir=str(folder / place),
        )
        listed.append(f"{subject},{study},{study},2180-07-23 08:44:00,{place}/{study}")
        row = {
            "subject_id": subject,
            "study_id": study,
            "cart_id": "1",
            "ecg_time": "2180-07-23 08:44:00",
            **reports,
        }
        measured.append(",".join(f'"{row[name]}"' if name in row else "" for name in columns))
    (folder / "record_list.csv").write_text(
        "\n".join(["subject_id,study_id,file_name,ecg_time,path", *listed]) + "\n"
    )
    (folder / "machine_measurements.csv").write_text("\n".join([header, *reversed(measured)]) + "\n")


def test_mimic_is_joined_by_study_and_split_by_patient(real_data, tmp_path):
    studies = [
        (
            "10000032",
            "40689238",
            {"report_0": "Sinus rhythm", "report_1": "Possible right atrial abnormality"},
        ),
        (
            "10000032",
            "44458630",
            {"report_0": "Sinus bradycardia.", "report_3": "Borderline ECG", "report_17": "x"},
        ),
        ("10000117", "45090959", {}),
    ]
    write_mimic(tmp_path, real_data, studies)
    corpus = open_corpus("auto", tmp_path)
    rows = corpus.table.set_index("record_id")
    assert corpus.name == "mimic-iv-ecg"
    assert rows.loc["40689238", "report"] == "Sinus rhythm. Possible right atrial abnormality"
    assert rows.loc["44458630", "report"] == "Sinus bradycardia. Borderline ECG. x"
    assert rows.loc["45090959", "report"] == ""
    assert rows.loc["40689238", "split"] == rows.loc["44458630", "split"] != ""
    record = corpus.record(0)
    assert (record.fs, record.signal.shape) == (500, (12, 5000))
    assert list(record.lead_names) == MIMIC_LEADS
    assert open_corpus("mimic-iv-ecg", tmp_path, split_seed=0).hash == corpus.hash
    assert {open_corpus("mimic-iv-ecg", tmp_path, split_seed=seed).row(0)["fold"] for seed in range(20)} > {
        1,
        2,
    }


def test_mimic_faults(real_data, tmp_path):
    with pytest.raises(DataError, match="none of its 1 recordings is on disk"):
        open_corpus("mimic-iv-ecg", real_data / "mimic-iv-ecg-samples")
    for name in ("record_list.csv", "machine_measurements.csv"):
        shutil.copy(real_data / "mimic-iv-ecg-samples" / name, tmp_path)
    path = tmp_path / "record_list.csv"
    path.chmod(0o644)
    lines = path.read_text().splitlines()
    path.write_text("\n".join([*lines, lines[1]]))
    with pytest.raises(DataError, match="study 40689238 stands in two rows"):
        open_corpus("mimic-iv-ecg", tmp_path)
    (tmp_path / "machine_measurements.csv").unlink()
    path.write_text("\n".join(lines))
    with pytest.raises(DataError, match=r"machine_measurements\.csv: no such file"):
        open_corpus("mimic-iv-ecg", tmp_path)
