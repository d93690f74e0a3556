"""Prompt banks: what is shipped, what is read, what is refused."""

import csv
import json
import subprocess
import sys
import time

import pytest

from ecgclip.corpora import label_set
from ecgclip.errors import DataError, UsageError
from ecgclip.prompts.bank import BANKS, KINDS, PromptBank, lint_bank

SMALL = """
name: small
sources:
  book: "A textbook"
labels:
  - code: AF
    name: atrial fibrillation
    phrases:
      - {lang: en, kind: name, source: book, text: ["atrial fibrillation", "AF"]}
      - {lang: de, kind: name, source: book, text: "Vorhofflimmern"}
  - code: NO
    name: normal
    phrases:
      - {lang: no, kind: name, source: book, text: [no, 1e-4, 010, "12:30"]}
"""


def written(tmp_path, text, name="small.yaml"):
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize("name", BANKS)
def test_every_label_has_three_sourced_phrases_in_english_and_german(name):
    bank = PromptBank.load(name)
    assert bank.labels == tuple(label_set(name).codes)
    for code in bank.labels:
        for lang in ("en", "de"):
            assert len({phrase.text.lower() for phrase in bank.phrases(code, lang)}) >= 3, (code, lang)
        for phrase in bank.phrases(code):
            assert phrase.source
            assert phrase.kind in KINDS


@pytest.mark.parametrize("name", BANKS)
def test_the_linter_passes_on_the_shipped_banks(name):
    assert lint_bank(PromptBank.load(name), label_set(name).codes) == []


def test_scp_phrases_are_the_corpus_own_wording(real_data):
    with (real_data / "ptb-xl" / "scp_statements.csv").open(encoding="utf-8") as file:
        rows = {row[""]: row["description"] for row in csv.DictReader(file)}
    bank = PromptBank.load("ptbxl-all")
    assert {code: [p.text for p in bank.phrases(code, kinds="scp")] for code in bank.labels} == {
        code: [text] for code, text in rows.items()
    }


@pytest.mark.parametrize("name", ["ptbxl-form", "ptbxl-rhythm", "ptbxl-diagnostic"])
def test_a_view_says_what_the_whole_bank_says(name):
    whole = PromptBank.load("ptbxl-all")
    view = PromptBank.load(name)
    assert all(view.phrases(code) == whole.phrases(code) for code in view.labels)


def test_a_superclass_knows_its_parts():
    bank = PromptBank.load("ptbxl-superclass")
    whole = PromptBank.load("ptbxl-all")
    parts = [part for code in bank.labels for part in bank.parts(code)]
    assert len(parts) == len(set(parts)) == 44
    assert bank.parts("HYP")["LVH"] == whole.phrases("LVH")
    assert "LVH" not in PromptBank.load("ptbxl-form").parts("VCLVH")


def test_phrases_by_language_and_kind():
    bank = PromptBank.load("ptbxl-all")
    german = bank.phrases("AFIB", lang="de")
    assert "Vorhofflimmern" in [phrase.text for phrase in german]
    assert {phrase.lang for phrase in german} == {"de"}
    assert {phrase.kind for phrase in bank.phrases("AFIB", ["en", "de"], ("scp", "name"))} == {"scp", "name"}
    assert "no atrial fibrillation" in [phrase.text for phrase in bank.negation("AFIB", "en")]
    texts = [phrase.text for phrase in bank.phrases("SVTAC")]
    assert len(texts) == len(set(texts))


def test_descriptions_are_given_when_asked_for():
    bank = PromptBank.load("ptbxl-all")
    described = bank.select(kinds="description")
    for code in bank.labels:
        assert "description" not in {phrase.kind for phrase in bank.phrases(code)}
        assert bank.phrases(code, kinds="description") == described.phrases(code) != ()
    assert len(bank.phrases("AFIB", kinds=KINDS)) > len(bank.phrases("AFIB"))


def test_a_narrowed_bank_is_another_bank():
    bank = PromptBank.load("ptbxl-rhythm")
    german = bank.select(lang="de")
    assert german.languages == ("de",)
    assert german.hash != bank.hash
    assert german.labels == bank.labels
    with pytest.raises(UsageError, match="no phrase with lang='sv', kinds='scp'"):
        bank.select(lang="sv", kinds="scp")


def test_texts_hold_all_that_may_be_scored():
    bank = PromptBank.load("ptbxl-superclass")
    texts = set(bank.texts)
    assert len(bank.texts) == len(texts)
    assert {"myocardial infarction", "kein Myokardinfarkt", "subendocardial injury in lateral leads"} <= texts


def test_the_hash_is_of_what_scores_depend_on(tmp_path):
    bank = PromptBank.load(written(tmp_path, SMALL))
    assert len(bank.hash) == 12
    assert (
        PromptBank.load(written(tmp_path, SMALL.replace("A textbook", "Another"), "b.yaml")).hash == bank.hash
    )
    changed = written(tmp_path, SMALL.replace("Vorhofflimmern", "Vorhofflimmern!"), "c.yaml")
    assert PromptBank.load(changed).hash != bank.hash


def test_a_changed_file_is_read_anew(tmp_path):
    path = written(tmp_path, SMALL)
    assert "Vorhofflimmern" in PromptBank.load(path).texts
    written(tmp_path, SMALL.replace("Vorhofflimmern", "Flimmern der Vorhöfe"))
    assert "Flimmern der Vorhöfe" in PromptBank.load(path).texts


def test_scalars_stay_what_was_written(tmp_path):
    bank = PromptBank.load(written(tmp_path, SMALL))
    assert bank.labels == ("AF", "NO")
    assert [phrase.text for phrase in bank.phrases("NO", "no")] == ["no", "1e-4", "010", "12:30"]


def test_plain_dicts_and_saved_banks():
    bank = PromptBank.from_dict({"af": ["atrial fibrillation", "atrial fibrillation"], "sr": "sinus rhythm"})
    assert [len(bank.phrases(code)) for code in bank.labels] == [1, 1]
    shipped = PromptBank.load("ptbxl-superclass")
    again = PromptBank.from_dict(json.loads(json.dumps(shipped.to_dict())))
    assert (again.hash, again.labels, again.name, again.strict) == (
        shipped.hash,
        shipped.labels,
        "ptbxl-superclass",
        True,
    )
    assert again.parts("MI") == shipped.parts("MI")


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ({}, "has no labels"),
        ({"af": []}, "'af' needs a list of phrases"),
        ({"af": ["atrial fibrillation", " "]}, "phrase 2 of label 'af' is empty"),
        ({"af": [7]}, "phrase 1 of label 'af' is empty or not text"),
        ({"af": {"en": "x"}}, "'af' needs a list of phrases"),
        ({"format": "ecgclip.PromptBank/1", "labels": [{"code": "x"}]}, "is damaged"),
    ],
)
def test_faulty_dicts_are_refused(labels, message):
    with pytest.raises(DataError, match=message):
        PromptBank.from_dict(labels)


def test_unknown_names_get_near_matches():
    with pytest.raises(UsageError, match="did you mean ptbxl-superclass"):
        PromptBank.load("ptbxl-superclas")
    bank = PromptBank.load("ptbxl-rhythm")
    with pytest.raises(UsageError, match="'AFIBB': did you mean AFIB"):
        bank.phrases("AFIBB")
    with pytest.raises(UsageError, match=r"language of prompt bank .* 'fr'"):
        bank.phrases("AFIB", lang="fr")
    with pytest.raises(UsageError, match="kind of phrase 'synonyms': did you mean synonym"):
        bank.phrases("AFIB", kinds="synonyms")
    assert PromptBank.load("csn-legacy").labels == PromptBank.load("csn").labels


PHRASE = '- {lang: en, kind: name, source: book, text: ["atrial fibrillation", "AF"]}'


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (PHRASE, "- {lang: en, kind: name", "line 1[0-9]: not valid YAML"),
        ("name: small", "name: small\nname: big", "line 3: the key 'name' stands twice"),
        ("code: AF", "code: &x AF", None),
        ("name: atrial fibrillation", "name: !!python/object:os.system x", "line 7: the tag .* is not read"),
        (PHRASE, "- {lang: en, kind: name, text: AF}", "line 9: label AF: a phrase has no 'source'"),
        (PHRASE, "- {kind: name, source: book, text: AF}", "line 9: label AF: a phrase has no 'lang'"),
        (PHRASE, "- {lang: english, kind: name, source: book, text: AF}", "must be two letters"),
        (PHRASE, "- {lang: en, kind: names, source: book, text: AF}", "did you mean name"),
        (
            PHRASE,
            "- {lang: en, kind: name, source: bok, text: AF}",
            "unknown source 'bok': did you mean book",
        ),
        (PHRASE, '- {lang: en, kind: name, source: book, text: " "}', "line 9: label AF: a phrase is empty"),
        (PHRASE, "- {lang: en, kind: name, source: book}", "line 9: label AF: a phrase is empty"),
        (
            PHRASE,
            "- {lang: en, kind: name, source: book, texts: AF}",
            "unknown key 'texts': did you mean text",
        ),
        (PHRASE, "- atrial fibrillation", "a phrase is {lang, kind, source, text}"),
        ("code: NO", "code: AF", "label AF stands twice"),
        ("code: NO", "kode: NO", "unknown key 'kode': did you mean code"),
        ("    phrases:", "    from: AFIB\n    phrases:", "is taken from no bank"),
        ("name: small", "name: small\nfrom: ptbxl", "unknown prompt bank 'ptbxl'"),
        ("name: small", "name: small\nfrom: small.yaml", "'from' names the file itself"),
        ("    phrases:", "    may_name: [AFF]\n    phrases:", "'may_name': unknown label: 'AFF'"),
    ],
)
def test_faulty_files_are_refused_with_their_line(tmp_path, old, new, message):
    assert old in SMALL
    path = written(tmp_path, SMALL.replace(old, new, 1))
    if message is None:
        PromptBank.load(path)
        return
    with pytest.raises(DataError, match=message) as error:
        PromptBank.load(path)
    assert "\n" not in str(error.value)
    assert str(path) in str(error.value)


@pytest.mark.parametrize("text", ["", "just words", "labels: {}", "labels: []", "- a\n- b", "a: [*x]"])
def test_files_that_are_no_bank(tmp_path, text):
    with pytest.raises(DataError, match=r"small\.yaml"):
        PromptBank.load(written(tmp_path, text))


def test_a_missing_file_and_one_that_is_not_text(tmp_path):
    with pytest.raises(DataError, match=r"none\.yaml: cannot be read"):
        PromptBank.load(tmp_path / "none.yaml")
    path = tmp_path / "latin.yaml"
    path.write_bytes("name: für".encode("latin-1"))
    with pytest.raises(DataError, match="is not UTF-8"):
        PromptBank.load(path)


def test_all_faults_are_counted(tmp_path):
    text = SMALL.replace("kind: name, ", "")
    with pytest.raises(DataError, match="and 2 more: ecgclip prompts check"):
        PromptBank.load(written(tmp_path, text))


def test_own_bank_may_take_labels_from_a_shipped_one(tmp_path):
    text = (
        "name: own\nfrom: ptbxl-all\nlabels: [AFIB, {code: flutter, from: AFLT, drop: ['atrial flutter']}]\n"
    )
    bank = PromptBank.load(written(tmp_path, text))
    assert bank.phrases("AFIB") == PromptBank.load("ptbxl-all").phrases("AFIB")
    assert "atrial flutter" not in [phrase.text for phrase in bank.phrases("flutter")]
    wrong = text.replace("'atrial flutter'", "'flutter'")
    with pytest.raises(DataError, match="'drop' names 'flutter', which is not among"):
        PromptBank.load(written(tmp_path, wrong, "wrong.yaml"))


def test_banks_load_fast_and_without_torch():
    code = (
        "import sys, time; from ecgclip.prompts.bank import PromptBank; import yaml, ecgclip.prompts.bank.schema\n"
        "start = time.process_time(); PromptBank.load('ptbxl-all'); print(time.process_time() - start)\n"
        "assert 'torch' not in sys.modules and 'pandas' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert float(done.stdout) < 0.1
    start = time.process_time()
    PromptBank.load("ptbxl-all")
    assert time.process_time() - start < 0.1
