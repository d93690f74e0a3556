import csv
import json
import subprocess
import sys

import pytest

from ecgclip.errors import DataError, UsageError
from ecgclip.reports import (
    canonical_findings,
    coverage,
    findings,
    lint_terms,
    train_wordpiece,
)
from ecgclip.reports.coverage import unread_words
from ecgclip.reports.termfile import TERMS, load_terms


def test_the_shipped_file_is_clean():
    assert lint_terms() == []


def test_the_shipped_file_is_large_and_speaks_three_languages():
    entries = canonical_findings()
    assert len(entries) >= 180
    assert all(entry.wordings[language] for entry in entries for language in ("de", "en", "sv"))
    assert any(entry.corpus_term for entry in entries)


CLEAN = """
version: 1
walls:
  - {name: inferior, en: [inferior], de: [inferiore(r|)], sv: [inferior]}
subjects:
  - {name: ST, en: [st], de: [st], sv: [st]}
kinds:
  - {name: coronary, of: [myocardial infarction]}
findings:
  - {name: sinus rhythm, en: [sinus rhythm], de: [Sinusrhythmus], sv: [sinusrytm]}
  - {name: myocardial infarction, takes: [where], en: [infarct], de: [Infarkt], sv: [hjärtinfarkt]}
"""


def test_a_clean_file_has_no_faults(tmp_path):
    path = tmp_path / "terms.yaml"
    path.write_text(CLEAN, encoding="utf-8")
    assert lint_terms(path) == []
    assert len(load_terms(path).entries) == 2


PLANTED = [
    ("en: [infarct]", "en: [infarct, sinus rhythm]", "'sinus rhythm' also belongs to sinus rhythm"),
    ("en: [infarct]", "en: [infarct, sinus (rhythm|beat)]", "'sinus rhythm' also belongs to sinus rhythm"),
    ("en: [infarct]", "en: [infarct, inferior]", "'inferior' also belongs to myocardial infarction"),
    (", sv: [hjärtinfarkt]", "", "myocardial infarction: no wording in 'sv'"),
    (", sv: [hjärtinfarkt]", ", sv: []", "myocardial infarction: no wording in 'sv'"),
    ("name: myocardial infarction", "name: sinus rhythm", "sinus rhythm: duplicate finding"),
    ("en: [infarct]", "en: [infarct, infarct]", "'infarct' stands twice"),
    ("takes: [where]", "where: upstairs", "unknown wall 'upstairs'"),
    ("name: inferior", "name: downstairs", "unknown wall 'downstairs'"),
    ("en: [infarct]", "en: [infarct (old]", "brackets of 'infarct (old' do not match"),
    ("takes: [where]", "takes: [colour]", "cannot take 'colour'"),
    ("takes: [where]", "subject: TT", "unknown subject 'TT'"),
    ("takes: [where]", "said: {en: [high]}", "`said` needs a subject"),
    ("takes: [where]", "tekes: [where]", "unknown key 'tekes'"),
    ("findings:", "findngs:", "unknown part 'findngs'"),
    ("name: ST,", "name: ST, side: left,", "side 'left' is none of"),
    ("of: [myocardial infarction]", "of: [myocardial infraction]", "unknown finding 'myocardial infraction'"),
    ("of: [myocardial infarction]", "of: [sinus rhythm, sinus rhythm]", "names 'sinus rhythm' twice"),
    ("of: [myocardial infarction]", "of: [[sinus rhythm]]", "kind 'coronary': unknown finding"),
    ("of: [myocardial infarction]", "of: []", "kind 'coronary': names no finding"),
    ("of: [myocardial infarction]", "in: [myocardial infarction]", "kind 'coronary': unknown key 'in'"),
    ("findings:", "  - {name: coronary, of: [sinus rhythm]}\nfindings:", "kind 'coronary': stands twice"),
]


@pytest.mark.parametrize(("old", "new", "fault"), PLANTED)
def test_a_planted_fault_is_named(tmp_path, old, new, fault):
    path = tmp_path / "terms.yaml"
    assert old in CLEAN
    path.write_text(CLEAN.replace(old, new), encoding="utf-8")
    assert any(fault in line for line in lint_terms(path)), lint_terms(path)


@pytest.mark.parametrize("text", ["findings: [", "- a list", "findings: {name: x}", "version: 1"])
def test_a_broken_file_is_an_error(tmp_path, text):
    path = tmp_path / "terms.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(DataError, match="terms"):
        load_terms(path)


def test_a_file_without_findings_is_a_fault(tmp_path):
    path = tmp_path / "terms.yaml"
    path.write_text("version: 1", encoding="utf-8")
    assert "part 'findings' is missing" in lint_terms(path)
    path.write_text("findings: {name: x}", encoding="utf-8")
    assert any("expected a list" in fault for fault in lint_terms(path))
    path.write_text("findings: [", encoding="utf-8")
    with pytest.raises(DataError, match="no YAML"):
        lint_terms(path)


def test_an_absent_file_is_named(tmp_path):
    with pytest.raises(DataError, match="absent"):
        lint_terms(tmp_path / "absent.yaml")


def test_words_that_yaml_would_turn_into_booleans_stay_words():
    assert "no, on, off" not in TERMS.read_text(encoding="utf-8")
    assert findings("no ischemia")[0].finding.negated


def _training_reports(folder):
    for name in ("ptb-xl", "ptb-xl-reports"):
        with (folder / name / "ptbxl_database.csv").open(encoding="utf-8") as file:
            yield from (row["report"] for row in csv.DictReader(file) if int(row["strat_fold"]) <= 8)


def test_coverage_of_the_training_folds(real_data):
    rows = {row.language: row for row in coverage(_training_reports(real_data))}
    assert rows["all"].words > 100_000
    for language in ("de", "en", "sv", "all"):
        assert rows[language].read >= 0.985, rows[language]
        assert rows[language].finding >= 0.85, rows[language]


def test_coverage_counts_what_is_unread():
    rows = {row.language: row for row in coverage(["sinus rhythm zorbulated", "sinus rhythm zorbulated"])}
    assert rows["all"].words == 6
    assert rows["all"].reports == 2
    assert rows["all"].read == pytest.approx(2 / 3)
    assert unread_words(["sinus rhythm Zorbulated"] * 2) == {"zorbulated": 2}


def test_scp_statements_are_kept_apart(real_data):
    with (real_data / "ptb-xl" / "scp_statements.csv").open(encoding="utf-8") as file:
        described = {row[""]: row["description"] for row in csv.DictReader(file)}
    assert len(described) == 71
    phrases = {}
    for code, text in described.items():
        statements = findings(text)
        assert len(statements) == 1, (code, [statement.text for statement in statements])
        assert statements[0].finding is not None, code
        phrases[code] = statements[0].text
    assert len(set(phrases.values())) == 71


def test_names_of_other_label_sets_are_read():
    names = [
        "normal sinus rhythm",
        "atrial fibrillation",
        "first-degree atrioventricular block",
        "left bundle branch block",
        "right bundle branch block",
        "premature atrial contraction",
        "premature ventricular contraction",
        "ST-segment depression",
        "ST-segment elevation",
        "abnormal Q wave",
        "U wave",
        "Wolff-Parkinson-White pattern",
        "second degree atrioventricular block",
        "Atrial Tachycardia",
        "ventricular bigeminy",
        "sinus irregularity",
        "ventricular premature beat",
        "T-wave inversion",
        "atrial premature beats",
        "prolonged PR interval",
        "counterclockwise rotation",
        "clockwise rotation",
        "Atrial Flutter",
        "atrioventricular block",
        "prolonged QT interval",
        "ventricular escape beat",
        "Supraventricular Tachycardia",
        "myocardial infarction",
        "T wave Change",
        "P wave Change",
        "Early repolarization of the ventricles",
        "right ventricle hypertrophy",
        "left ventricle hypertrophy",
        "junctional escape beat",
        "bundle branch block",
        "bradycardia",
        "incomplete right bundle branch block",
        "left axis deviation",
        "right axis deviation",
        "left anterior fascicular block",
        "low qrs voltages",
        "nonspecific intraventricular conduction disorder",
        "pacing rhythm",
        "poor R wave Progression",
        "qwave abnormal",
        "t wave abnormal",
        "conduction disturbance",
        "hypertrophy",
    ]
    phrases = {}
    for name in names:
        (statement,) = findings(name)
        assert statement.finding is not None, name
        phrases[name] = statement.text
    assert len(set(phrases.values())) == len(names) - 3  # two names each for Q waves, PVC and PAC


def test_wordpiece_vocabulary_reads_what_it_was_trained_on():
    from tokenizers import Tokenizer

    texts = ["inferior myocardial infarction", "sinus rhythm", "ST depression in lateral leads"] * 20
    made = train_wordpiece(texts, 200)
    assert made == train_wordpiece(texts, 200)
    tokenizer = Tokenizer.from_str(made)
    assert tokenizer.get_vocab_size() <= 200
    assert tokenizer.token_to_id("[PAD]") == 0
    encoded = tokenizer.encode("Sinus Rhythm")
    assert encoded.tokens == ["[CLS]", "sinus", "rhythm", "[SEP]"]
    assert json.loads(made)["model"]["type"] == "WordPiece"
    with pytest.raises(UsageError, match="vocabulary size"):
        train_wordpiece(texts, 3)


def test_reading_loads_neither_torch_nor_pandas():
    code = "import sys, ecgclip.reports as r; r.findings('lvh'); "
    code += "print([name for name in ('torch', 'pandas') if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
