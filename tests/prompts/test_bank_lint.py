"""The linter of prompt banks: each planted fault is found, and nothing else is called a fault."""

from dataclasses import replace

import pytest

from ecgclip.errors import DataError
from ecgclip.prompts.bank import Phrase, PromptBank, lint_bank, lint_file
from ecgclip.prompts.bank.lint import check_bank

CHATTER = "Bigeminal pattern. Let me know if this meets your requirements!"

# Faults of prompts in circulation: (bank, label, the phrase, a word of the complaint).
PLANTED = [
    ("ptbxl-superclass", "NORM", "sinus tachycardia", "excludes"),
    ("ptbxl-superclass", "NORM", "normal ECG, sinus bradycardia", "excludes"),
    ("ptbxl-all", "NORM", "sinus tachycardia", "STACH"),
    ("ptbxl-rhythm", "SR", "sinus node dysfunction", "excludes"),
    ("ptbxl-rhythm", "SR", "sinus rhythm, sinus bradycardia", "SBRAD"),
    ("ptbxl-rhythm", "SR", "sinus rhythm with sinus tachycardia", "STACH"),
    ("ptbxl-all", "CRBBB", "incomplete right bundle branch block", "IRBBB"),
    ("ptbxl-subclass", "CRBBB", "right bundle branch block, incomplete RBBB", "IRBBB"),
    ("cpsc2018", "RBBB", "incomplete right bundle branch block", "excludes"),
    ("ptbxl-all", "CLBBB", "left anterior fascicular block", "LAFB"),
    ("ptbxl-all", "CLBBB", "left bundle branch block, left posterior fascicular block", "LPFB"),
    ("ptbxl-all", "ILBBB", "left anterior fascicular block", "LAFB"),
    ("ptbxl-subclass", "ILBBB", "left posterior fascicular block", "LAFB/LPFB"),
    ("cpsc2018", "LBBB", "left anterior fascicular block", "excludes"),
    ("csn", "CR", "counterclockwise rotation", "CCR"),
    ("csn", "CR", "clockwise or counterclockwise rotation", "excludes"),
    ("csn", "STDD", "ST elevation", "STTU"),
    ("csn", "STDD", "ST depression or ST segment elevation", "STTU"),
    ("csn", "AF", "atrial fibrillation", "AFIB"),
    ("csn", "AF", "flutter fibrillation", "excludes"),
    ("ptbxl-rhythm", "SBRAD", "bradycardia with atrial fibrillation", "AFIB"),
    ("ptbxl-rhythm", "SBRAD", "bradycardia with atrial flutter", "AFLT"),
    ("csn", "SA", "sinus tachycardia", "ST"),
    ("csn", "VEB", "ventricular premature beat", "VPB"),
    ("csn", "VEB", "premature beat", "excludes"),
    ("csn", "STE", "ST elevation myocardial infarction", "STTU"),
    ("csn", "STE", "STEMI", "excludes"),
    ("ptbxl-rhythm", "BIGU", CHATTER, "not a short clinical statement"),
    ("ptbxl-all", "ISCAL", "in anterolateral leads", "noun was lost"),
    ("ptbxl-all", "ISCAS", "in anteroseptal leads", "noun was lost"),
    ("ptbxl-all", "ISCLA", "in lateral leads", "noun was lost"),
    ("ptbxl-all", "INJAL", "in anterolateral leads", "noun was lost"),
    ("ptbxl-rhythm", "STACH", "supraventricular tachycardia", "SVTAC"),
    ("ptbxl-rhythm", "STACH", "junctional tachycardia", "excludes"),
]

# Faults that any bank may have.
OTHERS = [
    ("ptbxl-rhythm", "AFIB", "no atrial fibrillation", "denies the label itself"),
    ("ptbxl-rhythm", "AFIB", "kein Vorhofflimmern", "denies the label itself"),
    ("ptbxl-rhythm", "AFIB", "Vorhofflimmern nicht nachweisbar", "denies the label itself"),
    ("ptbxl-rhythm", "AFIB", "no evidence of atrial fibrillation", "denies the label itself"),
    ("ptbxl-rhythm", "AFIB", "atrial fibrillation is unlikely", "denies the label itself"),
    ("ptbxl-all", "NORM", "kein normales EKG", "denies the label itself"),
    ("csn", "2AVB", "AV block I", "1AVB"),
    ("ptbxl-superclass", "NORM", "left bundle branch block", "CD"),
    ("ptbxl-superclass", "HYP", "inferior myocardial infarction", "MI"),
    ("ptbxl-all", "LVH", "RVH", "RVH"),
    ("ptbxl-all", "LVH", "Linkshypertrophie und Rechtshypertrophie", "RVH"),
    ("ptbxl-all", "LAO/LAE", "right atrial enlargement", "RAO/RAE"),
    ("ptbxl-all", "LVH", "**left ventricular hypertrophy**", "not a short clinical statement"),
    ("ptbxl-all", "LVH", "Sure, here is a phrase: hypertrophy", "not a short clinical statement"),
    ("ptbxl-all", "LVH", " ".join(["left"] * 20), "not a short clinical statement"),
    ("ptbxl-all", "LVH", "?!", "empty phrase"),
]


def planted(name, code, *phrases):
    bank = PromptBank.load(name)
    entries = tuple(
        replace(label, phrases=(*label.phrases, *phrases)) if label.code == code else label
        for label in bank.entries
    )
    return replace(bank, entries=entries)


@pytest.mark.parametrize("kind", ["name", "synonym", "description"])
@pytest.mark.parametrize(("name", "code", "text", "complaint"), PLANTED + OTHERS)
def test_a_planted_fault_is_found(name, code, text, complaint, kind):
    faults = lint_bank(planted(name, code, Phrase(text, "en", kind, "a source")))
    assert faults
    assert any(complaint in fault for fault in faults), faults
    assert all(fault.startswith(f"{name}: ") and code in fault for fault in faults)


def test_a_phrase_of_two_labels():
    faults = lint_bank(planted("ptbxl-all", "LVH", Phrase("Sinus-Rhythm", "en", "description", "a source")))
    assert any("is shared by the labels LVH and SR" in fault for fault in faults)


@pytest.mark.parametrize(
    ("phrase", "complaint"),
    [
        (Phrase("wide S waves", "", "synonym", "s"), "has no lang"),
        (Phrase("wide S waves", "en", "", "s"), "has no kind"),
        (Phrase("wide S waves", "en", "synonym", ""), "has no source"),
    ],
)
def test_what_a_phrase_must_state(phrase, complaint):
    faults = lint_bank(planted("ptbxl-all", "LVH", phrase))
    assert any(complaint in fault for fault in faults)


def test_too_few_phrases_and_no_name():
    bank = PromptBank.load("ptbxl-rhythm")
    label = bank.label("AFIB")
    few = tuple(phrase for phrase in label.phrases if phrase.lang == "en")[:2]
    thin = replace(bank, entries=(replace(label, phrases=few), *bank.entries[2:]))
    faults = lint_bank(thin)
    assert "ptbxl-rhythm: label AFIB: has fewer than 3 distinct names and synonyms with lang en" in faults
    assert "ptbxl-rhythm: label AFIB: has fewer than 3 distinct names and synonyms with lang de" in faults
    assert "ptbxl-rhythm: label AFIB: has no phrase of kind name with lang de" in faults


def test_codes_against_the_label_set():
    bank = PromptBank.from_dict({"AF": ["atrial fibrillation"], "XX": ["sinus rhythm"]})
    faults = lint_bank(bank, ["AF", "SR"])
    assert "own: unknown code XX: the label set has no such label" in faults
    assert "own: label SR of the label set has no phrases" in faults


def test_contradictory_relations_and_negations():
    bank = PromptBank.load("ptbxl-rhythm")
    label = bank.label("AFIB")
    worse = replace(
        label, may_name=("AFLT",), negation=(Phrase("atrial fibrillation", "en", "negation", "s"),)
    )
    faults = lint_bank(replace(bank, entries=(worse, *bank.entries[2:])))
    assert any("both excludes AFLT and may name it" in fault for fault in faults)
    assert any("the negation 'atrial fibrillation' is a phrase of the label" in fault for fault in faults)


@pytest.mark.parametrize(
    "labels",
    [
        {"af": ["atrial fibrillation", "Vorhofflimmern"], "sr": ["sinus rhythm"]},
        {
            "rbbb": ["right bundle branch block", "RBBB"],
            "irbbb": ["incomplete right bundle branch block", "incomplete RBBB"],
        },
        {"pvc": ["ventricular premature complex"], "pc": ["premature complex"]},
        {"healthy": ["no abnormality", "without pathological findings"], "sick": ["abnormal ECG"]},
        {"af": ["atrial fibrillation", "irregular rhythm without P waves"], "flutter": ["atrial flutter"]},
    ],
)
def test_sound_dicts_pass_without_languages_and_sources(labels):
    assert lint_bank(PromptBank.from_dict(labels)) == []


@pytest.mark.parametrize(
    ("labels", "complaint"),
    [
        (
            {"af": ["fibrillation", "atrial flutter"], "fl": ["atrial flutter"]},
            "is shared by the labels af and fl",
        ),
        ({"af": ["fibrillation", "fibrillation or atrial flutter"], "fl": ["atrial flutter"]}, "names fl"),
        ({"af": ["fibrillation", "no fibrillation"]}, "denies the label itself"),
        ({"af": ["in lateral leads"]}, "noun was lost"),
    ],
)
def test_faulty_dicts_do_not_pass(labels, complaint):
    assert any(complaint in fault for fault in lint_bank(PromptBank.from_dict(labels)))


def test_a_faulty_bank_is_refused_in_one_line():
    check_bank(PromptBank.load("cpsc2018"))
    with pytest.raises(DataError, match=r"own: label af: .* denies the label itself \(and 1 more") as error:
        check_bank(PromptBank.from_dict({"af": ["fibrillation", "no fibrillation", "in lateral leads"]}))
    assert "\n" not in str(error.value)


def test_a_file_is_linted_whole(tmp_path):
    path = tmp_path / "own.yaml"
    path.write_text(
        "name: own\nlabels:\n"
        "  - {code: AF, name: AF, phrases: [{lang: en, kind: name, text: fibrillation}]}\n"
        "  - {code: FL, name: FL, phrases: [{lang: en, kind: nam, source: s, text: fibrillation}]}\n",
        encoding="utf-8",
    )
    faults = lint_file(path, ["AF"])
    assert f"{path}, line 3: label AF: a phrase has no 'source'" in faults
    assert any("line 4: unknown kind of phrase 'nam'" in fault for fault in faults)
    assert any("is shared by the labels AF and FL" in fault for fault in faults)
    assert any("unknown code FL" in fault for fault in faults)
    path.write_text("name: [", encoding="utf-8")
    assert len(lint_file(path)) == 1
