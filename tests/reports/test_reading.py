import time

import pytest

from ecgclip.errors import UsageError
from ecgclip.reports import (
    canonical_findings,
    findings,
    kinds_of,
    language_of,
    read_report,
    without_place,
)
from ecgclip.reports.finding import Finding
from ecgclip.reports.reading import _read

READINGS = {
    # run-on German without separators
    "sinusrhythmus linkstyp qrs(t) abnormal    inferiorer infarkt     alter unbest.": [
        "sinus rhythm",
        "leftward axis",
        "abnormal QRS",
        "inferior myocardial infarction of undetermined age",
    ],
    "sinusrhythmus lagetyp normal st & t abnorm, wahrscheinlich    anterolaterale ischÄmie oder linksbelastung"
    "    inferolaterale ischÄmie oder linksbelastung": [
        "sinus rhythm",
        "normal axis",
        "ST-T changes",
        "possible anterolateral ischemia or left ventricular strain",
        "possible inferolateral ischemia or left ventricular strain",
    ],
    "tachykardes vorhofflimmern ueberdrehter linkstyp linksschenkelblock linkshypertrophie mÖglich": [
        "atrial fibrillation with rapid ventricular response",
        "left axis deviation",
        "left bundle branch block",
        "possible left ventricular hypertrophy",
    ],
    "sinusrhythmus a-v block i t abnorm in anterioren ableitungen lateralen ableitungen": [
        "sinus rhythm",
        "first degree AV block",
        "T wave abnormality in anterolateral leads",
    ],
    "anteriorer infarkt     wahrscheinlich alt inferiorer infarkt     mÖglich": [
        "old anterior myocardial infarction",
        "possible inferior myocardial infarction",
    ],
    "t neg in ii,iii,avf st-senkung in v5-6": [
        "T wave inversion in inferior leads",
        "ST depression in lateral leads",
    ],
    "sinusrhythmus linkstyp rechts-schenkelblock chron. inferiorer infarkt pathologisches ekg": [
        "sinus rhythm",
        "leftward axis",
        "right bundle branch block",
        "old inferior myocardial infarction",
        "abnormal ECG",
    ],
    # one phrase whatever the wording
    "linkshypertrophie": ["left ventricular hypertrophy"],
    "lvh": ["left ventricular hypertrophy"],
    "voltages are high in chest leads suggesting lvh.": ["left ventricular hypertrophy"],
    "vÄnster kammarhypertrofi": ["left ventricular hypertrophy"],
    "premature ventricular contraction(s).": ["ventricular premature complex"],
    "ventrikulÄre extrasystole(n)": ["ventricular premature complex"],
    "ventrikulär(a) extrasystoli(er)": ["ventricular premature complex"],
    "PVCs": ["ventricular premature complex"],
    "normales ekg": ["normal ECG"],
    "sonst normales ekg": ["normal ECG"],
    "otherwise normal ecg.": ["normal ECG"],
    "eljest normalt ekg": ["normal ECG"],
    "no definite pathology.": ["normal ECG"],
    # doubt
    "inferiorer infarkt nicht auszuschliessen": ["inferior myocardial infarction not excluded"],
    "old inferior infarct cannot be entirely excluded.": ["old inferior myocardial infarction not excluded"],
    "inferior myokardskada kan ej uteslutas": ["inferior myocardial damage not excluded"],
    "verdacht auf p-sinistrocardiale linkstyp": ["possible left atrial enlargement", "leftward axis"],
    "myocardial ischaemia is likely.": ["possible ischemia"],
    "this may be due to lv strain or ischaemia.": ["possible ischemia or left ventricular strain"],
    "hÖg lateral infarkt bÖr ÖvervÄgas": ["possible high lateral myocardial infarction"],
    "this may be due to myocardial ischaemia or lateral subendocardial infarction of uncertain age.": [
        "possible ischemia",
        "possible lateral subendocardial infarction of undetermined age",
    ],
    # negation, and what has passed
    "no ecg evidence of recent ischaemia.": ["no recent ischemia"],
    "keine st-hebung": ["no ST elevation"],
    "rhythm was previously atrial fibrillation. sinus rhythm.": ["no atrial fibrillation", "sinus rhythm"],
    # leads and walls
    "ST depression in V4 V5 V6": ["ST depression in lateral leads"],
    "st segments are depressed in i, ii, avl, v4,5,6.": ["ST depression in lateral leads"],
    "st segments are elevated in v2,3,4.": ["ST elevation in anteroseptal leads"],
    "t waves are inverted in ii, iii, avf, v5,6.": ["T wave inversion in inferolateral leads"],
    "st segments are depressed and t waves inverted in i, avl, v3-6.": [
        "ST depression in anterolateral leads",
        "T wave inversion in anterolateral leads",
    ],
    "q waves, st segment elevation and terminal t wave inversion in ii, iii, avf.": [
        "Q waves in inferior leads",
        "ST elevation in inferior leads",
        "T wave inversion in inferior leads",
    ],
    "t waves are flat in limb leads and v3 and inverted in v4,5,6.": [
        "T wave flattening in all leads",
        "T wave inversion in lateral leads",
    ],
    "st segments are depressed in v5,6. t waves are low or flat in these leads.": [
        "ST depression in lateral leads",
        "T wave flattening in lateral leads",
    ],
    "q waves in ii, iii, avf consistent with old inferior    myocardial infarction.": [
        "Q waves in inferior leads",
        "old inferior myocardial infarction",
    ],
    "in V1-V3 ST-T abnormal": ["ST-T changes in anteroseptal leads"],
    "Sinus-Tachykardie, Rechts-Schenkelblock, AV-Block II. Grades Typ Wenckebach": [
        "sinus tachycardia",
        "right bundle branch block",
        "second degree AV block Mobitz type I Wenckebach",
    ],
    "inferior STEMI": ["acute inferior myocardial infarction"],
    "probable old anterior and inferior infarcts.": [
        "possible old inferior and anterior myocardial infarction"
    ],
    "extensive anterior infarct, probably old.": ["old anterior myocardial infarction"],
    # degree
    "minor non-specific st segment depression in v5,6.": ["slight ST depression in lateral leads"],
    "minor non-specific st-t wave changes.": ["slight nonspecific ST-T changes"],
    "mÄssige amplitudenkriterien fÜr linkshypertrophie": [
        "moderate voltage criteria for left ventricular hypertrophy"
    ],
    # kept apart
    "unvollstÄndiger rechtsschenkelblock": ["incomplete right bundle branch block"],
    "rechtsschenkelblock": ["right bundle branch block"],
    "premature ventricular contraction(s), bigeminy.": ["ventricular premature complex", "bigeminy"],
    "vorhofflattern": ["atrial flutter"],
    "vorhofflimmern/-flattern": ["atrial fibrillation or flutter"],
    "unspezifisches abnormes t": ["nonspecific T wave abnormality"],
    "t abgeflacht": ["T wave flattening"],
    "prolonged qt, this may be due to a drug effect or an electrolyte disturbance.": [
        "long QT interval",
        "possible electrolyte disturbance or drug effect",
    ],
    "prolonged pr interval.": ["prolonged PR interval"],
    "periphere niederspannung": ["low QRS voltage in limb leads"],
    "steiltyp": ["vertical axis"],
    "indifferenztyp": ["intermediate axis"],
    "rechtstyp": ["rightward axis"],
    "ueberdrehter rechtstyp": ["right axis deviation"],
    "horisontalställd el-axel": ["horizontal axis"],
    "schrittmacher ekg": ["artificial pacemaker"],
    "early repolarization": ["early repolarization"],
    "digitalis effect": ["digitalis effect"],
    "there is much artifact present.": ["artifact"],
    # Swedish
    "sinusrytm avvikande qrs(t) fÖrlopp    inferior infarkt ålder ej bestÄmmbar    t-fÖrÄndring, sÅsom vid"
    " hÖg lateral myokardaffektion": [
        "sinus rhythm",
        "abnormal QRS",
        "inferior myocardial infarction of undetermined age",
        "T wave changes",
        "possible high lateral myocardial damage",
    ],
    # cut off by the end of the field
    "sinus rhythm. findings are likely to be due to ischaemic heart": [
        "sinus rhythm",
        "possible ischemic heart disease",
    ],
}


@pytest.mark.parametrize("text", READINGS)
def test_a_report_is_read_as_a_clinician_reads_it(text):
    assert [statement.text for statement in findings(text)] == READINGS[text]


def test_attributes_are_data_and_not_only_words():
    (statement,) = findings("possible old inferior infarct")
    assert statement.finding == Finding(
        "myocardial infarction", where=("inferior",), age="old", certainty="possible"
    )
    (doubt,) = findings("septaler infarkt nicht auszuschliessen")
    assert doubt.finding.certainty == "not excluded"
    (denied,) = findings("no evidence of ischemia")
    assert denied.finding.negated
    (block,) = findings("a-v block ii")
    assert block.finding.degree == "second degree"


def test_spans_point_into_the_raw_text():
    raw = (
        "sinusrhythmus  verdacht auf  p-sinistrocardiale st-senkung in v5,6   4.46      unbestÄtigter bericht"
    )
    said = [raw[slice(*statement.span)] for statement in findings(raw)]
    assert said == ["sinusrhythmus", "verdacht auf  p-sinistrocardiale", "st-senkung in v5,6"]


def test_spans_survive_mended_letters():
    raw = "SinusbradykardieÂ ischÃ¤mie der Vorderwand, LinksschenkelblÃ¶cke Rechtsschenkelblock"
    said = {statement.text: raw[slice(*statement.span)] for statement in findings(raw)}
    assert said["right bundle branch block"] == "Rechtsschenkelblock"
    assert said["anterior ischemia"].startswith("ischÃ¤mie")


def test_unread_words_go_through_and_are_counted():
    statements = findings("sinus rhythm. zorbulated quasiwave everywhere. normal ecg.")
    assert [statement.text for statement in statements] == [
        "sinus rhythm",
        "zorbulated quasiwave everywhere",
        "normal ECG",
    ]
    assert statements[1].finding is None


def test_a_prompt_of_half_a_statement_is_not_lost():
    assert [statement.text for statement in findings("in anterolateral leads")] == ["in anterolateral leads"]


@pytest.mark.parametrize("text", ["", "   ", "trace only requested.", "\n", "4.46   unbestÄtigter bericht"])
def test_no_report_has_no_statements(text):
    assert read_report(text).statements == ()


def test_texts_in_three_forms():
    report = read_report("sinusrhythmus linkstyp. sinusrhythmus, linkshypertrophie mÖglich")
    assert report.texts() == ("sinus rhythm", "leftward axis", "possible left ventricular hypertrophy")
    assert report.texts("raw") == ("sinusrhythmus linkstyp", "sinusrhythmus", "linkshypertrophie möglich")
    assert report.texts("both") == report.texts() + report.texts("raw")
    with pytest.raises(UsageError, match="canonical"):
        report.texts("canonic")


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("sinusrhythmus lagetyp normal", "de"),
        ("left axis deviation. t waves are inverted", "en"),
        ("vänster el-axel ospecifik t-förändring", "sv"),
        ("12345", ""),
    ],
)
def test_language_is_told_by_words(text, language):
    assert language_of(text) == language
    assert read_report(text).language == language


def test_every_finding_reads_its_own_phrase():
    for entry in canonical_findings():
        assert [statement.text for statement in findings(entry.phrase)] == [entry.phrase], entry.name


def test_every_wording_is_read_as_its_finding():
    from ecgclip.reports.termfile import LANGUAGES, expand

    wrong = []
    for entry in canonical_findings():
        for language in LANGUAGES:
            for wording in entry.wordings[language]:
                read = findings(next(expand(wording)))
                if entry.phrase not in {statement.text for statement in read}:
                    wrong.append((entry.phrase, wording, [statement.text for statement in read]))
    assert not wrong


def test_hostile_text_neither_fails_nor_hangs():
    start = time.perf_counter()
    for text in [
        "in " * 20000,
        "v1," * 20000,
        "(" * 20000,
        "ä" * 50000,
        "not " * 5000 + "infarct",
        "\x00\ud800 ecg",
    ]:
        read_report(text)
    assert time.perf_counter() - start < 10


def test_three_thousand_reports_a_second():
    texts = list(READINGS) * 40
    _read("warm up")
    start = time.process_time()
    for text in texts:
        _read.__wrapped__(text)
    assert len(texts) / (time.process_time() - start) > 3000


@pytest.mark.parametrize(
    ("phrase", "plain"),
    [
        ("Q waves in septal leads", "Q waves"),
        ("old inferior myocardial infarction", "old myocardial infarction"),
        ("possible T wave inversion in lateral leads", "possible T wave inversion"),
        ("sinus rhythm", None),
        ("Q waves", None),
        ("no Q waves in septal leads", None),
        ("Q-Zacken septal", None),  # not the canonical phrase
        ("sinus rhythm. Q waves in septal leads", None),
        ("", None),
    ],
)
def test_a_finding_without_its_place(phrase, plain):
    assert without_place(phrase) == plain


@pytest.mark.parametrize(
    ("text", "kinds"),
    [
        ("left anterior fascicular block", ("conduction disturbance",)),
        ("Linksanteriorer Hemiblock", ("conduction disturbance",)),
        ("possible old inferior myocardial infarction", ("myocardial infarction",)),
        ("blocked atrial premature complex", ("premature complex",)),
        ("supraventricular tachycardia", ("supraventricular arrhythmia", "tachycardia")),
        ("sinus tachycardia. ST depression in lateral leads", ("tachycardia", "repolarization abnormality")),
        ("conduction disturbance", ("conduction disturbance",)),
        ("right bundle branch block. left anterior fascicular block", ("conduction disturbance",)),
        ("no ST depression in lateral leads", ()),
        ("normal axis", ()),
        ("words that nobody knows", ()),
        ("", ()),
    ],
)
def test_the_kinds_of_what_a_text_affirms(text, kinds):
    assert kinds_of(text) == kinds
