"""What starting costs: no torch before a command needs it."""

import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = ("torch", "pandas", "scipy", "sklearn", "wfdb", "neurokit2", "transformers", "matplotlib", "datasets")


def _loaded_after(code: str) -> set[str]:
    ask = f"{code}\nimport sys\nprint('\\n'.join(sys.modules))"
    done = subprocess.run([sys.executable, "-c", ask], capture_output=True, text=True, check=True)
    return set(done.stdout.splitlines())


def test_importing_the_package_loads_nothing_heavy():
    assert not _loaded_after("import ecgclip").intersection([*HEAVY, "numpy"])


@pytest.mark.parametrize("argv", [["--help"], ["pretrain", "--help"], ["zero-shot", "--help"], ["--version"]])
def test_help_loads_nothing_heavy(argv):
    code = (
        "from ecgclip.cli import main\n"
        f"try:\n    main({argv!r})\n"
        "except SystemExit as stop:\n    assert not stop.code"
    )
    assert not _loaded_after(code).intersection([*HEAVY, "numpy"])


def test_reading_a_recording_loads_no_torch():
    assert "torch" not in _loaded_after("from ecgclip import ECGRecord, read_record")


def test_drawing_and_reading_reports_load_no_torch():
    assert "torch" not in _loaded_after("import ecgclip.figures, ecgclip.reports")


def test_classifying_loads_no_text_tower_and_nothing_of_training(newcomer):
    code = (
        "from ecgclip import ECGTextModel, ZeroShotClassifier\n"
        "model = ECGTextModel.from_pretrained('runs/quickstart')\n"
        "found = ZeroShotClassifier(model, 'ptbxl-superclass').predict_proba('demo/records/sim-3-000004.hea')\n"
        "assert found.shape == (1, 5)"
    )
    loaded = _loaded_after(code)
    assert not loaded.intersection(["transformers", "open_clip", "ot", "datasets", "accelerate", "pydantic"])


def test_the_console_script_and_the_module_are_the_same_program():
    script = Path(sys.executable).with_name("ecgclip")
    if not script.is_file():
        pytest.skip("ecgclip is not installed beside this interpreter")
    by_script = subprocess.run([script, "--version"], capture_output=True, text=True, check=True)
    by_module = subprocess.run(
        [sys.executable, "-m", "ecgclip.cli", "--version"], capture_output=True, text=True, check=True
    )
    assert by_script.stdout == by_module.stdout


def test_an_ending_means_the_same_in_capitals(newcomer, command):
    import pandas as pd

    out = newcomer / "scores.PARQUET"
    status, _, err = command("zero-shot", "runs/quickstart", "--data", "demo", "--out", out)
    assert status == 0, err
    assert len(pd.read_parquet(out))
