"""Delineation in several processes: the same figures, and no harm from a script that has no main guard."""

import os
import subprocess
import sys

import numpy as np
import pytest

from ecgclip.corpora import prepare, simulate
from ecgclip.errors import DataError
from ecgclip.signals import Preprocessor
from ecgclip.studies.benchmark import intervals as intervals_module
from ecgclip.studies.benchmark.cache import Cache
from ecgclip.studies.benchmark.intervals import INTERVALS, interval_features

SCRIPT = """
import sys
from pathlib import Path

import numpy as np

from ecgclip.corpora import Store
from ecgclip.studies.benchmark import intervals
from ecgclip.studies.benchmark.cache import Cache

print("begins", flush=True)
intervals._PART = 2
folder = Path(sys.argv[2])
np.save(folder / "found.npy", intervals.interval_features(Store.open(sys.argv[1]), Cache(folder), workers=2))
"""


@pytest.fixture(scope="module")
def four(tmp_path_factory):
    corpus = simulate(n=4, seed=2, seconds=5.0)
    return prepare(corpus, Preprocessor(), tmp_path_factory.mktemp("four") / "store", workers=1)


def test_a_script_without_a_main_guard_delineates_in_two_processes(four, tmp_path):
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    done = subprocess.run(
        [sys.executable, str(script), str(four.path), str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == "begins\n"  # the processes do not run the script again
    told = []
    here = interval_features(four, Cache(tmp_path / "cache"), tell=told.append)
    np.testing.assert_array_equal(np.load(tmp_path / "found.npy"), here)
    assert here.shape == (4, len(INTERVALS))
    assert np.isfinite(here).mean() > 0.5
    assert told == [4]
    parts = sorted(tmp_path.glob("intervals-*.npz"))
    assert len(parts) == 2
    parts[0].write_bytes(b"cut short")
    parts[1].unlink()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(intervals_module, "_PART", 2)
        np.testing.assert_array_equal(interval_features(four, Cache(tmp_path)), here)


def test_a_process_that_dies_is_a_sentence(four):
    from ecgclip.corpora.processes import spread

    with pytest.raises(DataError, match="a working process died"):
        list(spread(os._exit, iter([("a", 3), ("b", 3)]), 2))
