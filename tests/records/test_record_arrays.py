"""What an ECGRecord takes for a signal, and that it stays read-only wherever the record goes."""

import copy
import pickle
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch

from ecgclip.errors import UsageError
from ecgclip.records import LEADS, ECGRecord

SIGNAL = np.random.default_rng(1).normal(size=(12, 300)).astype(np.float32)


def record(signal):
    return ECGRecord(signal, fs=100, lead_names=LEADS, record_id="a")


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
@pytest.mark.parametrize("tracked", [False, True])
def test_a_tensor_is_taken_whether_or_not_it_tracks_gradients(dtype, tracked):
    tensor = torch.tensor(SIGNAL).to(dtype).requires_grad_(tracked)
    made = record(tensor)
    np.testing.assert_array_equal(made.signal, tensor.detach().float().numpy())
    assert made.signal.dtype == np.float32
    assert tensor.requires_grad is tracked
    with torch.no_grad():
        tensor.zero_()
    assert made.signal.any()


def test_a_tensor_of_integers_is_taken_and_one_of_no_real_numbers_refused():
    counts = torch.from_numpy(np.arange(3600).reshape(12, 300))
    np.testing.assert_array_equal(record(counts).signal, counts.numpy().astype(np.float32))
    for wrong in (counts > 5, counts.to(torch.complex64)):
        with pytest.raises(UsageError, match="must hold real numbers"):
            record(wrong)


@pytest.mark.parametrize(
    "signal",
    [
        [[0.0, 1.0], [0.0]],
        [*SIGNAL[:11], SIGNAL[11, :5]],
        [torch.ones(5, requires_grad=True)] * 12,
        torch.from_numpy(SIGNAL).to_sparse(),
    ],
)
def test_what_is_no_array_is_refused_in_one_sentence(signal):
    with pytest.raises(UsageError, match="record a: the signal cannot be made an array") as caught:
        record(signal)
    assert "\n" not in str(caught.value)
    assert "every lead of the same length" in str(caught.value)


@pytest.mark.parametrize(
    "again",
    [
        *(
            lambda made, protocol=protocol: pickle.loads(pickle.dumps(made, protocol))
            for protocol in (2, 4, 5)
        ),
        copy.deepcopy,
        copy.copy,
        replace,
    ],
)
def test_a_copy_is_the_same_recording_and_read_only_too(again):
    made = ECGRecord(SIGNAL, fs=250, lead_names=LEADS, record_id="a", comments=["b"], left_out=["ABP (mmHg)"])
    copied = again(made)
    assert not copied.signal.flags.writeable
    with pytest.raises(ValueError, match="read-only"):
        copied.signal[0, 0] = 1.0
    np.testing.assert_array_equal(copied.signal, made.signal)
    for field in ("fs", "lead_names", "record_id", "comments", "left_out"):
        assert getattr(copied, field) == getattr(made, field)


def test_a_record_of_arrays_does_not_load_torch():
    code = (
        "import sys, numpy as np; from ecgclip.records import ECGRecord; "
        "ECGRecord(np.eye(2, 9), fs=100, lead_names=['I', 'II']); print('torch' in sys.modules)"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "False"
