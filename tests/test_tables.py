"""README's tables are made from the results files, to the digit."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize("protocol", ["localisation", "zero_shot"])
def test_readme_tables_are_those_of_the_results(protocol):
    script = ROOT / "benchmarks" / protocol / "tables.py"
    done = subprocess.run(
        [sys.executable, str(script), "--check"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
