import csv
import io

import numpy as np
import pandas as pd
import pytest

from ecgclip.corpora import LABEL_SETS, LabelSet, label_set, open_ptb_xl
from ecgclip.corpora.label_sets import facts
from ecgclip.corpora.opening.ptb_xl import check_statements
from ecgclip.errors import DataError, UsageError


def table(*codes, system):
    return pd.DataFrame({"codes": list(codes), "code_system": system})


def present(name, codes, system):
    labels = label_set(name)
    row = labels.matrix(table(codes, system=system))[0]
    return {code for code, value in zip(labels.codes, row, strict=True) if value}


@pytest.mark.parametrize(
    ("name", "size"),
    list(zip(LABEL_SETS, (5, 23, 19, 12, 44, 71, 9, 38, 38, 26), strict=True)),
)
def test_sizes(name, size):
    labels = label_set(name)
    assert len(labels) == size
    assert set(labels.names) == set(labels.codes)


def test_superclasses_come_in_ptb_xls_order():
    assert label_set("ptbxl-superclass").codes == ("NORM", "MI", "STTC", "CD", "HYP")


def test_statements_roll_up_to_their_classes():
    assert present("ptbxl-superclass", ["ILMI", "CLBBB", "SR"], "scp") == {"MI", "CD"}
    assert present("ptbxl-subclass", ["ILMI", "LPFB", "1AVB"], "scp") == {"IMI", "LAFB/LPFB", "_AVB"}
    assert present("ptbxl-form", ["NDT", "SR"], "scp") == {"NDT"}
    assert present("ptbxl-rhythm", ["NDT", "SR"], "scp") == {"SR"}


def test_challenge_equivalences_are_one_class():
    for codes, label in (
        (["733534002"], "CLBBB|LBBB"),
        (["164909002"], "CLBBB|LBBB"),
        (["713427006", "59118001"], "CRBBB|RBBB"),
        (["63593006"], "PAC|SVPB"),
        (["17338001"], "PVC|VPB"),
    ):
        assert present("challenge-2021", codes, "snomed") == {label}


def test_cpsc_words_and_exact_snomed_codes_mean_the_same():
    words = label_set("cpsc2018").codes
    assert words == ("Normal", "AF", "I-AVB", "LBBB", "RBBB", "PAC", "PVC", "STD", "STE")
    assert present("cpsc2018", ["164889003", "164884008"], "snomed") == {"AF", "PVC"}
    assert present("cpsc2018", ["164890007", "427172004"], "snomed") == set()
    assert present("challenge-2021", ["RBBB", "STE"], "cpsc2018") == {"CRBBB|RBBB"}


def test_csn_is_exact_and_its_legacy_form_has_the_published_fault():
    assert present("csn", ["AFIB"], "csn") == {"AFIB"}
    assert present("csn-legacy", ["AFIB"], "csn") == {"AFIB", "AF"}
    assert present("csn-legacy", ["1AVB"], "csn") == {"1AVB", "AVB", "VB"}
    assert present("csn", ["164890007"], "snomed") == {"AF"}
    assert present("csn", ["LFBBB", "MIFW"], "csn") == {"LBBB", "MI"}, (
        "acronyms of one SNOMED code are one class"
    )


def test_a_manifests_labels_are_codes_of_the_set_or_what_they_stand_for():
    assert present("ptbxl-superclass", ["MI", "LVH"], "label") == {"MI", "HYP"}
    assert present("cpsc2018", ["AF", "164884008"], "label") == {"AF", "PVC"}
    with pytest.raises(DataError, match=r"no label of the manifest belongs .* sick"):
        label_set("cpsc2018").matrix(table(["sick"], [], system="label"))


def test_labels_of_ones_own():
    own = LabelSet.of("mine", ["HCM", "amyloid"])
    assert own.matrix(table(["amyloid"], ["HCM", "x"], system="label")).tolist() == [[0, 1], [1, 0]]
    with pytest.raises(UsageError, match="no code twice"):
        LabelSet.of("mine", ["a", "a"])


def test_refusals():
    with pytest.raises(UsageError, match="did you mean ptbxl-superclass"):
        label_set("ptbxl-super")
    with pytest.raises(DataError, match="2 of 2 recordings carry no labels"):
        label_set("csn").matrix(table([], [], system="none"))
    with pytest.raises(DataError, match="cannot be read off scp codes, only off csn, snomed"):
        label_set("csn").matrix(table(["SR"], system="scp"))


def test_codes_that_mean_no_class_are_counted():
    labels = label_set("ptbxl-rhythm")
    unread = labels.unread(table(["SR", "NORM"], ["NORM"], system="scp"))
    assert unread == {"NORM": 2}


def test_every_statement_of_the_real_corpus_is_read(real_data):
    corpus = open_ptb_xl(real_data / "ptb-xl")
    labels = label_set("ptbxl-all")
    assert labels.unread(corpus.table) == {}
    assert labels.matrix(corpus.table).sum() == sum(len(set(codes)) for codes in corpus.table["codes"])
    with open(real_data / "ptb-xl" / "ptbxl_database.csv", newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    rhythm = label_set("ptbxl-rhythm")
    matrix = rhythm.matrix(corpus.table)
    for column, code in enumerate(rhythm.codes):
        assert matrix[:, column].sum() == sum(f"'{code}':" in row["scp_codes"] for row in rows), code


def test_shipped_facts_equal_ptb_xls_own_table(real_data):
    path = real_data / "ptb-xl" / "scp_statements.csv"
    check_statements(path)
    own = pd.read_csv(path, index_col=0, dtype=str, keep_default_na=False)
    shipped = facts()["scp_statements"]
    assert list(own.index) == list(shipped)
    for code, row in own.iterrows():
        kinds = [kind for kind in ("diagnostic", "form", "rhythm") if row[kind] == "1.0"]
        assert kinds == shipped[code]["kinds"], code
        assert row["diagnostic_class"] == shipped[code].get("class", ""), code
        assert row["diagnostic_subclass"] == shipped[code].get("subclass", ""), code
    diagnostic = own[own["diagnostic"] == "1.0"]
    for name, column in (("ptbxl-superclass", "diagnostic_class"), ("ptbxl-subclass", "diagnostic_subclass")):
        for label, means in label_set(name).sources.items():
            assert list(means["scp"]) == list(diagnostic.index[diagnostic[column] == label]), (name, label)


def damaged(path, change):
    rows = list(csv.reader(io.StringIO(path.read_text(encoding="utf-8"))))
    change(rows)
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue()


def rhythm_marked_diagnostic(rows):
    for row in rows[1:]:
        if row[4] == "1.0":
            row[2], row[5], row[6] = "1.0", "ARR", "ARR"


def mangled_blocks(rows):
    for row in rows[1:]:
        if row[0] in ("1AVB", "2AVB", "3AVB"):
            row[0] = row[0].replace("AVB", ".0AVB")


@pytest.mark.parametrize("change", [rhythm_marked_diagnostic, mangled_blocks, lambda rows: rows.pop()])
def test_damaged_statement_tables_are_refused(real_data, tmp_path, change):
    path = tmp_path / "scp_statements.csv"
    path.write_text(damaged(real_data / "ptb-xl" / "scp_statements.csv", change), encoding="utf-8")
    with pytest.raises(DataError, match="this copy is damaged"):
        check_statements(path)


def test_matrix_is_int8_with_a_row_a_recording():
    matrix = label_set("cpsc2018").matrix(table(["AF", "RBBB"], [], system="cpsc2018"))
    assert matrix.dtype == np.int8
    assert matrix.tolist() == [[0, 1, 0, 0, 1, 0, 0, 0, 0], [0] * 9]
