"""Bad input at the command line: at most three lines, status 1 or 2, and no file left behind."""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest


def _everything(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}


_BANK = """\
name: faulty
about: a kind that does not exist
sources: {ward: "our ward"}
labels:
  - code: AF
    name: atrial fibrillation
    phrases:
      - {lang: en, kind: nick, source: ward, text: "AFib"}
"""


@pytest.fixture(scope="module")
def faults(quickstart_folder):
    """Files and folders that are not what they are taken for, in ``faults``."""
    folder, model = quickstart_folder / "faults", quickstart_folder / "runs" / "quickstart" / "model"
    for name in ("empty", "unfinished", "store", "ptb-xl", "mimic", "cpsc"):
        (folder / name).mkdir(parents=True)
    (folder / "text.yaml").write_text("hello\n")
    (folder / "cut.yaml").write_text("name: [\n")
    (folder / "bytes.yaml").write_bytes(bytes(range(256)))
    (folder / "bank.yaml").write_text(_BANK)
    for name in ("run.json", "recipe.json", "recipe.yaml"):
        shutil.copy(model.parent / name, folder / "unfinished")
    for name, file in (("cut-weights", "model.safetensors"), ("cut-json", "model.json")):
        shutil.copytree(model, folder / name)
        (folder / name / file).write_bytes((model / file).read_bytes()[:50])
    (folder / "store" / "manifest.json").write_text('{"format": 1, "complete": true}')
    for name, file in (("ptb-xl", "ptbxl_database.csv"), ("mimic", "record_list.csv")):
        (folder / name / file).write_text("")
    (folder / "cpsc" / "REFERENCE.csv").write_bytes(b"\xff\x00")
    return folder


@pytest.fixture
def refused(command, newcomer, faults):
    """Run what must fail and give its message."""

    def run(status: int, *argv: str) -> str:
        before = _everything(newcomer)
        got, _, err = command(*argv)
        assert got == status, err
        assert 1 <= len(err.strip().splitlines()) <= 3, err
        assert any(line.startswith("ecgclip") for line in err.splitlines()), err
        assert "Traceback" not in err
        assert "This is a fault of ecgclip" not in err
        assert _everything(newcomer) == before
        return err

    return run


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        ([], "COMMAND"),
        (["pretrian"], "invalid choice"),
        (["pretrain", "--set"], "--set"),
        (["pretrain", "--bogus", "3"], "--bogus"),
        (["pretrain", "--seed", "x"], "--seed"),
        (["pretrain", "absent.yaml"], "absent.yaml"),
        (["pretrain", "--set", "modl.dim=3"], "model"),
        (["pretrain", "--set", "schedule.epoch=3"], "epochs"),
        (["pretrain", "--set", "model.dim=wide"], "model.dim"),
        (["pretrain", "--set", "schedule.epochs=1.5"], "schedule.epochs"),
        (["pretrain", "--set", "optimizer.lr=no"], "optimizer.lr"),
        (["pretrain", "--set", "objective.7.weight=1"], "objective.7.weight"),
        (["pretrain", "--set", "model.dim"], "KEY=VALUE"),
        (["pretrain", "--set", "data.corpus.kind=ptb-xl"], "data.corpus.n"),
        (["pretrain", "--data", "demo"], "simulated"),
        (["pretrain", "--seed", "-1"], "seed"),
        (
            ["zero-shot", "runs/quickstart", "--data", "demo", "--labels", "ptbxl-superclas"],
            "ptbxl-superclass",
        ),
        (["zero-shot", "runs/quickstart", "--data", "demo", "--out", "scores.xls"], ".csv"),
        (["zero-shot", "runs/quickstart"], "--data"),
        (["zero-shot", "runs/quickstart", "--data", "demo", "--split", "dev"], "--split"),
        (["prepare"], "--data"),
        (["prepare", "--data", "demo", "--out", "s", "--corpus", "ptbxl"], "ptb-xl"),
        (["prepare", "--data", "demo", "--out", "s", "--set", "preprocessing.fs=50"], "recipe"),
        (["prepare", "recipes/quickstart.yaml", "--corpus", "challenge"], "--corpus"),
        (["prompts"], "action"),
        (["prompts", "show", "cpsc2019"], "cpsc2018"),
        (["simulate"], "--out"),
        (["simulate", "--n", "0", "--out", "new"], "n"),
        (["simulate", "--fs", "0", "--out", "new"], "fs"),
        (["zero-shot", "runs/quickstart", "--data", ""], "--data"),
        (["zero-shot", "runs/quickstart", "--data", "demo", "--labels", ""], "--labels"),
        (["zero-shot", "runs/quickstart", "--data", "demo", "--labels", ","], "--labels"),
        (["pretrain", "--out", ""], "--out"),
        (["pretrain", "faults/text.yaml"], "mapping"),
        (["pretrain", "faults/cut.yaml"], "line"),
        (["pretrain", "faults/bytes.yaml"], "UTF-8"),
        (["pretrain", "faults"], "faults"),
        (["prompts", "show", "cpsc2018", "NOPE"], "NOPE"),
        (["explain", "runs/quickstart", "--data", "demo/manifest.csv", "--text", ";"], "--record"),
        (["compare", "runs/quickstart", "runs/quickstart", "--out", "x.txt"], ".csv"),
        (["probe", "runs/quickstart", "--data", "demo/manifest.csv", "--labels", "nope"], "nope"),
        (["benchmark", "runs/quickstart", "--data", "demo/manifest.csv", "--protocol", "nope"], "nope"),
        (["benchmark", "runs/quickstart", "--data", "demo/manifest.csv", "--protocol", ","], "--protocol"),
        (["probe", "runs/quickstart", "--data", "demo/manifest.csv", "--labels", ""], "--labels"),
        (["reports", "--data", "demo/manifest.csv", "--unread", "-1"], "--unread"),
    ],
)
def test_bad_usage_is_told_and_ends_with_2(refused, argv, said):
    assert said in refused(2, *argv)


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["zero-shot", "absent", "--data", "demo"], "absent"),
        (["zero-shot", "demo", "--data", "demo"], "demo"),
        (["zero-shot", "runs/quickstart", "--data", "absent"], "absent"),
        (["zero-shot", "runs/quickstart", "--data", "recipes"], "recipes"),
        (["zero-shot", "runs/quickstart", "--data", "demo", "--labels", "absent.yaml"], "absent.yaml"),
        (["simulate", "--out", "demo"], "demo"),
        (["prepare", "--data", "absent", "--out", "s"], "absent"),
        (["pretrain", "recipes/quickstart.yaml", "--out", "demo"], "demo"),
        (["pretrain", "recipes/quickstart.yaml", "--set", "optimizer.lr=5e-4"], "optimizer.lr"),
        (["pretrain", "recipes/quickstart.yaml", "--out", "faults/text.yaml/run"], "is a file"),
        (["zero-shot", "faults/text.yaml", "--data", "demo"], "model.json"),
        (["zero-shot", "faults/empty", "--data", "demo"], "model.json"),
        (["zero-shot", "faults/unfinished", "--data", "demo"], "model.json"),
        (["zero-shot", "faults/cut-weights", "--data", "demo"], "model.safetensors"),
        (["zero-shot", "faults/cut-json", "--data", "demo"], "model.json"),
        (["zero-shot", "runs/quickstart", "--data", "faults/empty"], "empty"),
        (["zero-shot", "runs/quickstart", "--data", "faults/text.yaml"], "no recording"),
        (["zero-shot", "runs/quickstart", "--data", "faults/text.yaml", "--out", "x.csv"], "no recording"),
        (["zero-shot", "runs/quickstart", "--data", "demo", "--out", "faults/text.yaml/x.csv"], "is a file"),
        (["zero-shot", "runs/quickstart", "--data", "demo/records", "--labels", "faults/bank.yaml"], "nick"),
        (["zero-shot", "runs/quickstart", "--data", "demo/records", "--split", "test"], "test"),
        (["zero-shot", "runs/quickstart", "--data", "faults/store"], "manifest.json"),
        (["prepare", "--data", "faults/ptb-xl", "--out", "s"], "is empty"),
        (["prepare", "--data", "faults/mimic", "--out", "s"], "is empty"),
        (["prepare", "--data", "faults/cpsc", "--out", "s"], "UTF-8"),
        (["prepare", "--data", "demo", "--out", "faults/text.yaml"], "is no store"),
        (["explain", "runs/quickstart", "--data", "faults/text.yaml", "--text", "AF"], "no recording"),
        (
            [
                "explain",
                "runs/quickstart",
                "--data",
                "demo",
                "--text",
                "AF",
                "--out",
                "faults/text.yaml/x.png",
            ],
            "is a file",
        ),
        (["compare", "faults/empty", "faults/empty"], "no scores"),
        (["compare", "faults/text.yaml", "runs/quickstart"], "text.yaml"),
        (["simulate", "--out", "faults/text.yaml/x"], "text.yaml"),
        (["reports", "--data", "demo/records"], "no report"),
        (["prompts", "list", "faults/bytes.yaml"], "UTF-8"),
        (["probe", "faults/cut-weights", "--data", "demo/manifest.csv"], "model.safetensors"),
    ],
)
def test_bad_data_is_told_and_ends_with_1(refused, argv, said):
    assert said in refused(1, *argv)


def test_every_fault_of_a_recipe_is_told_with_its_line(refused, newcomer, tmp_path):
    recipe = tmp_path / "broken.yaml"
    recipe.write_text(
        "name: broken\n"
        "data:\n"
        "  corpus: {kind: simulated, n: '64'}\n"
        "objective:\n"
        "  - kind: infonce\n"
        "schedule:\n"
        "  epohs: 3\n"
        "optimizer:\n"
        "  lr: fast\n",
        encoding="utf-8",
    )
    said = refused(2, "pretrain", recipe)
    for part in ("line 3", "data.corpus.n", "line 7", "epochs", "line 9", "optimizer.lr"):
        assert part in said


def test_a_key_that_stands_twice_is_refused(refused, tmp_path):
    recipe = tmp_path / "twice.yaml"
    recipe.write_text("name: a\nname: b\n", encoding="utf-8")
    assert "line 2" in refused(2, "pretrain", recipe)


def test_a_store_of_other_settings_is_refused_by_both_hashes(refused, tiny_store, newcomer):
    asked = ["pretrain", "recipes/quickstart.yaml", "--data", tiny_store.path, "--out", "other"]
    said = refused(1, *asked, "--set", "preprocessing.fs=125.0")
    assert tiny_store.preprocessor.hash in said


def test_a_model_refuses_a_store_of_other_settings(refused, simulated, newcomer, tmp_path):
    from ecgclip.corpora import prepare
    from ecgclip.signals import Preprocessor

    store = prepare(simulated.select(split="test"), Preprocessor(fs=125.0), tmp_path / "other", workers=1)
    said = refused(1, "zero-shot", "runs/quickstart", "--data", store.path, "--split", "test")
    assert store.preprocessor.hash in said


def test_a_label_set_without_truth_in_the_corpus_names_the_way_out(refused, newcomer, real_data):
    folder = str(real_data / "challenge2020-cpsc")
    asked = ["zero-shot", "runs/quickstart", "--data", folder, "--labels", "ptbxl-superclass"]
    assert "--scores" in refused(2, *asked)


def test_a_table_of_real_recordings(command, newcomer, real_data):
    status, out, err = command("zero-shot", "runs/quickstart", "--data", real_data / "challenge2020-cpsc")
    assert status == 0, err
    assert "cpsc2018, zero-shot, all recordings" in out
    assert "macro " in out


def test_one_damaged_recording_is_listed_and_the_rest_is_scored(command, newcomer, tmp_path):
    folder = tmp_path / "some"
    folder.mkdir()
    for path in sorted(Path("demo/records").iterdir())[:6]:
        shutil.copy(path, folder)
    sorted(folder.glob("*.dat"))[1].write_bytes(b"cut")
    out = tmp_path / "scores.csv"
    status, _, err = command("zero-shot", "runs/quickstart", "--data", folder, "--out", out)
    assert status == 0
    assert "sim-3-000001" in err
    rows = out.read_text(encoding="utf-8").splitlines()
    assert len(rows) == 1 + 3 * 5


def _hear_interrupts():
    """A shell's background job is born deaf to Ctrl-C, and so are its children."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def test_an_interrupted_training_ends_with_130_and_nothing_half_written(newcomer, tmp_path):
    recipe = newcomer / "recipes" / "quickstart.yaml"
    argv = [sys.executable, "-m", "ecgclip.cli", "pretrain", recipe, "--out", tmp_path / "run"]
    process = subprocess.Popen(
        [*map(str, argv), "--set", "schedule.epochs=5000"],
        stderr=subprocess.PIPE,
        text=True,
        cwd=tmp_path,
        preexec_fn=_hear_interrupts,
    )
    assert process.stderr is not None
    for line in process.stderr:
        if line.startswith("step "):
            break
    process.send_signal(signal.SIGINT)
    said = process.communicate(timeout=60)[1]
    assert process.returncode == 130, said
    assert "interrupted" in said.splitlines()[-1]
    assert "Traceback" not in said
    assert not [path for path in tmp_path.rglob(".*") if path.is_file()]
    assert not (tmp_path / "run" / "model").exists()


def test_a_closed_pipe_is_no_error(newcomer):
    reader, writer = os.pipe()
    os.close(reader)
    try:
        process = subprocess.run(
            [sys.executable, "-m", "ecgclip.cli", "prompts", "show", "ptbxl-all"],
            stdout=writer,
            stderr=subprocess.PIPE,
            text=True,
        )
    finally:
        os.close(writer)
    assert process.returncode == 0
    assert process.stderr == ""


@pytest.mark.filterwarnings("default")
def test_a_warning_is_one_line(command, newcomer, tmp_path):
    bank = tmp_path / "thin.yaml"
    bank.write_text(_BANK.replace("nick", "name"), encoding="utf-8")
    asked = ["zero-shot", "runs/quickstart", "--data", "demo/records/sim-3-000001.hea", "--labels", bank]
    status, out, err = command(*asked)
    assert status == 0, err
    assert "AF" in out
    assert [line[:17] for line in err.splitlines()] == ["ecgclip: warning:"]
    assert ".py" not in err


def test_an_interrupted_preparation_ends_with_130_and_goes_on(newcomer, tmp_path):
    argv = ["prepare", newcomer / "recipes" / "quickstart.yaml", "--out", tmp_path / "store"]
    argv += ["--workers", "1", "--set", "data.corpus.n=4000"]
    process = subprocess.Popen(
        [sys.executable, "-m", "ecgclip.cli", *map(str, argv)],
        stderr=subprocess.PIPE,
        text=True,
        cwd=tmp_path,
        preexec_fn=_hear_interrupts,
    )
    assert process.stderr is not None
    assert "prepared" in process.stderr.readline()
    process.send_signal(signal.SIGINT)
    said = process.communicate(timeout=60)[1]
    assert process.returncode == 130, said
    assert said.splitlines()[-1].endswith("the same command goes on where it stopped")
    assert "Traceback" not in said
    assert not list((tmp_path / "store").rglob(".*"))
    assert list((tmp_path / "store" / "shards").iterdir())


def test_a_folder_that_cannot_be_replaced_is_no_place_to_simulate(refused):
    assert "folder that you are in" in refused(2, "simulate", "--n", "2", "--out", ".")
    assert "expected a value" in refused(2, "simulate", "--n", "2", "--out", "")


@pytest.mark.parametrize("argv", [("compare", "a", "b"), ("benchmark", "a", "--data", "b")])
def test_a_seed_below_zero_is_refused(refused, argv):
    assert "0 or more, got '-1'" in refused(2, *argv, "--seed", "-1")


def test_a_bank_that_is_not_there_is_told_on_standard_error(refused):
    said = refused(1, "prompts", "check", "nowhere.yaml")
    assert said.count("nowhere.yaml") == 1
