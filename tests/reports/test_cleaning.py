import csv
import re

import pytest

from ecgclip.reports import clean, read_report

CODES = [
    "NDT",
    "NST_",
    "NST",
    "DIG",
    "LNGQT",
    "NORM",
    "NORMAL",
    "IMI",
    "ASMI",
    "LVH",
    "LAFB",
    "ISC_",
    "ISC",
    "IRBBB",
    "IRBB",
    "1AVB",
    "IVCD",
    "IVCB",
    "ISCAL",
    "CRBBB",
    "CLBBB",
    "ILMI",
    "LAO",
    "LAE",
    "AMI",
    "ALMI",
    "ISCIN",
    "INJAS",
    "LMI",
    "ISCIL",
    "LPFB",
    "ISCAS",
    "INJAL",
    "ISCLA",
    "RVH",
    "ANEUR",
    "RAO",
    "RAE",
    "WPW",
    "ILBBB",
    "IPLMI",
    "ISCAN",
    "IPMI",
    "SEHYP",
    "INJIN",
    "INJLA",
    "PMI",
    "PLMI",
    "3AVB",
    "INJIL",
    "2AVB",
    "ABQRS",
    "VCLVH",
    "QWAVE",
    "LOWT",
    "NT_",
    "INVT",
    "LVOLT",
    "HVOLT",
    "TAB_",
    "STE_",
    "STD_",
    "SBRAD",
    "STACH",
    "SARRH",
    "AFIB",
    "AFLT",
]
LEAKED = re.compile(rf"(?<![A-Za-z_])(?:{'|'.join(CODES)})[ _']*:?\s*\d|label derived|Edit:", re.IGNORECASE)


@pytest.mark.parametrize(
    ("raw", "kept"),
    [
        ("sinus rhythm. normal ecg. Edit: NORM 100, (NORM 100)", "sinus rhythm. normal ecg."),
        ("sinus rhythm. Edit: ASMI 100, CRBBB, Infarkt sicher(ASMI 100, CRBBB)", "sinus rhythm."),
        (
            "t-fÖrÄndringconsensus label derived from: {'ISCAL': 100.0, 'SR': 0.0},{'INJAL': 100.0}",
            "t-förändring",
        ),
        ("sinus rhythm (LVH 100, ISC_)", "sinus rhythm"),
        ("sinus rhythm. ASMI 100, CRBBB 50", "sinus rhythm. ,"),
        ("sinusrhythmus 4.46                 unbestÄtigter bericht", "sinusrhythmus"),
        ("sinusrhythmus qt-verlÄngerung 4.46        unbestÄt", "sinusrhythmus qt-verlängerung"),
        ("trace only requested.", ""),
        ("trace only requested. Edit: NORM 100, TOR", ""),
        ("sinusrytm Ã¤ldre infarkt", "sinusrytm äldre infarkt"),
        ("st-t fÖrÄndring ó¬ ó½ vid", "st-t förändring vid"),
        ("Überdrehter Linkstyp", "Überdrehter Linkstyp"),
        ("LVH (Sokolow 4.46 mV)", "LVH (Sokolow 4.46 mV)"),
        ("SR 80/min, PVC", "SR 80/min, PVC"),
    ],
)
def test_what_is_not_the_report_is_taken_out(raw, kept):
    assert clean(raw) == kept


def _reports(folder):
    for name in ("ptb-xl", "ptb-xl-reports"):
        with (folder / name / "ptbxl_database.csv").open(encoding="utf-8") as file:
            for row in csv.DictReader(file):
                if int(row["strat_fold"]) <= 8:
                    yield row["report"]


def test_no_leak_of_the_training_folds_remains(real_data):
    leaks = [text for text in _reports(real_data) if re.search(r"edit:|consensus|\{", text, re.IGNORECASE)]
    assert len(leaks) > 200
    for text in leaks:
        assert not LEAKED.search(clean(text)), text
        for statement in read_report(text).statements:
            assert not LEAKED.search(statement.text)
            assert "Edit" not in text[slice(*statement.span)]


def test_no_code_with_a_likelihood_remains_in_any_report(real_data):
    for text in _reports(real_data):
        assert not re.search(rf"\b(?:{'|'.join(CODES)}) \d+", clean(text)), text
