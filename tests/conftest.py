"""Fixtures that every room's tests share."""

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Folder of real recordings, from ECGCLIP_TEST_DATA; skipped without it."""
    folder = os.environ.get("ECGCLIP_TEST_DATA", "")
    if not folder or not Path(folder).is_dir():
        pytest.skip("no real recordings: set ECGCLIP_TEST_DATA to a folder that holds ptb-xl, challenge2021, …")
    return Path(folder)
