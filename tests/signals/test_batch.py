import subprocess
import sys

import numpy as np
import pytest
import torch

from ecgclip.errors import UsageError
from ecgclip.signals import Prepared, collate


def prepared(n_times, n_beats, value=1.0):
    beats = np.linspace(0.1, n_times / 100 - 0.1, n_beats, dtype=np.float32)
    return Prepared(np.full((12, n_times), value, np.float32), np.ones(12, bool), beats, n_times / 100)


def test_padding_is_zero_masked_and_on_the_right():
    batch = collate([prepared(300, 2), prepared(500, 5), prepared(100, 0)], 100.0)
    assert batch.signal.shape == (3, 12, 500)
    assert batch.time_mask.sum(dim=1).tolist() == [300, 500, 100]
    assert batch.beat_mask.sum(dim=1).tolist() == [2, 5, 0]
    assert torch.equal(batch.signal[:, 0] != 0, batch.time_mask)
    assert not batch.beats[~batch.beat_mask].any()
    assert batch.time_mask.dtype == batch.lead_mask.dtype == batch.beat_mask.dtype == torch.bool
    assert len(batch) == 3


def test_a_stated_length_pads_and_cuts():
    batch = collate([prepared(300, 3), prepared(500, 5)], 100.0, length=400)
    assert batch.signal.shape == (2, 12, 400)
    assert batch.time_mask.sum(dim=1).tolist() == [300, 400]
    assert (batch.beats[batch.beat_mask] < 4.0).all()
    assert batch.beat_mask[1].sum() == 4


def test_rows_of_a_batch_and_devices():
    batch = collate([prepared(300, 2, value) for value in (1.0, 2.0, 3.0)], 100.0)
    assert batch[1:].signal[:, 0, 0].tolist() == [2.0, 3.0]
    assert batch[torch.tensor([2, 0])].signal[:, 0, 0].tolist() == [3.0, 1.0]
    assert batch.to("cpu").fs == 100.0


def test_an_empty_batch_is_refused():
    with pytest.raises(UsageError, match="at least one"):
        collate([], 100.0)


def test_preparing_needs_neither_torch_nor_neurokit_to_be_imported():
    heavy = {"torch", "neurokit2", "scipy.signal", "wfdb"}
    code = f"import ecgclip.signals, sys; print({heavy} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
