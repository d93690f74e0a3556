import shutil

import pytest

from ecgclip.corpora import detect_corpus, label_set, open_corpus, save_manifest, simulate
from ecgclip.corpora.export import write_wfdb
from ecgclip.errors import DataError


@pytest.fixture
def folder(real_data, tmp_path):
    source = real_data / "ptb-xl" / "records100" / "00000"
    for name in ("00001_lr", "00002_lr", "00003_lr"):
        for ending in (".hea", ".dat"):
            shutil.copy(source / (name + ending), tmp_path)
    return tmp_path


def opened(folder, text, **options):
    path = folder / "list.csv"
    path.write_text(text, encoding="utf-8")
    return open_corpus("auto", path, **options)


def test_a_manifest_with_everything(folder):
    corpus = opened(
        folder,
        "path,report,patient_id,split,labels\n"
        '00001_lr,"Sinusrhythmus, sonst normal",p1,train,NORM;SR\n'
        "00002_lr.hea,,p2,val,SBRAD\n"
        f"{folder}/00003_lr.dat,normal,p2,validation,\n",
    )
    assert corpus.table["split"].to_list() == ["train", "validation", "validation"]
    assert corpus.table["report"].to_list() == ["Sinusrhythmus, sonst normal", "", "normal"]
    assert corpus.table["record_id"].to_list() == ["00001_lr", "00002_lr.hea", f"{folder}/00003_lr.dat"]
    assert label_set("ptbxl-rhythm").matrix(corpus.table).sum(0).tolist()[:5] == [1, 0, 0, 0, 1]
    assert [record.signal.shape for record in corpus] == [(12, 1000)] * 3


def test_paths_alone_are_enough_and_carry_no_labels(folder):
    corpus = opened(folder, "path\n00001_lr\n00002_lr\n")
    assert set(corpus.table["split"]) == {""}
    with pytest.raises(DataError, match="carry no labels"):
        label_set("ptbxl-superclass").matrix(corpus.table)


def test_a_seed_splits_by_patient(folder):
    text = "path,patient_id\n00001_lr,p1\n00002_lr,p1\n00003_lr,\n"
    for seed in range(20):
        table = opened(folder, text, split_seed=seed).table
        assert table["split"][0] == table["split"][1] != ""


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("path,label\n00001_lr,NORM\n", "unknown column 'label'"),
        ("path,path\n00001_lr,x\n", "column 'path' stands there twice"),
        ("path,report\n00001_lr,a,b\n", "row 2: 3 fields under 2 columns"),
        ("path,split\n00001_lr,traning\n", "row 2: split 'traning'"),
        ("path\n00001_lr\n00001_lr\n", "stands in two rows"),
        ("path,report\n,x\n", "row 2: path is empty"),
        ("path\n", "holds no recording"),
        ("path\n00001_lr\nabsent\n", "1 of 2 recordings are absent"),
        ("path,patient_id,split\n00001_lr,p,train\n00002_lr,p,test\n", "patient 'p' is in test and train"),
    ],
)
def test_faults_are_named(folder, text, fault):
    with pytest.raises(DataError, match=fault):
        opened(folder, text)


def test_absent_recordings_are_listed_when_told_to_go_on(folder):
    corpus = opened(folder, "path\n00001_lr\nabsent\n", allow_missing=True)
    assert len(corpus) == 1
    assert corpus.missing == (str(folder / "absent"),)


def test_a_corpus_saved_as_a_manifest_is_read_back(real_data, tmp_path):
    corpus = open_corpus("challenge", real_data / "challenge2021", split_seed=1)
    path = save_manifest(corpus, tmp_path / "split.csv")
    again = open_corpus("auto", path)
    columns = ["record_id", "report", "patient_id", "split", "codes"]
    assert again.table[columns].equals(corpus.table[columns])
    labels = label_set("challenge-2021")
    assert (labels.matrix(again.table) == labels.matrix(corpus.table)).all()
    assert again.record(0).signal.shape == corpus.record(0).signal.shape


def test_a_manifest_in_another_encoding_is_refused(folder):
    path = folder / "list.csv"
    path.write_bytes("path,report\n00001_lr,Schädigung\n".encode("latin-1"))
    with pytest.raises(DataError, match="UTF-8"):
        open_corpus("manifest", path)


def test_a_folder_with_a_manifest_is_opened_by_it(tmp_path):
    """What ``simulate`` writes: its labels and splits would be lost among loose recordings."""
    corpus = simulate(n=4, seed=1)
    write_wfdb(corpus, tmp_path / "demo")
    found = open_corpus("auto", tmp_path / "demo")
    assert list(found.table["code_system"].unique()) == ["label"]
    assert list(found.table["split"]) == list(corpus.table["split"])
    assert len(open_corpus("auto", tmp_path / "demo" / "records")) == 4
    (tmp_path / "demo" / "manifest.csv").write_text("I,II\n0.1,0.2\n", encoding="utf-8")
    assert detect_corpus(tmp_path / "demo") != "manifest"
