"""README's tables are made from the results files, to the digit."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_readme_tables_are_those_of_the_results():
    script = ROOT / "benchmarks" / "zero_shot" / "tables.py"
    done = subprocess.run(
        [sys.executable, str(script), "--check"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
