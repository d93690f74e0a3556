"""Small models whose weights are drawn from a seed."""

import numpy as np
import pytest
import torch

from ecgclip.models import ECGTextModel, ModelConfig
from ecgclip.reports import train_wordpiece
from ecgclip.signals import Prepared, Preprocessor

WORDS = ["atrial fibrillation", "sinus rhythm", "left bundle branch block", "inferior infarction"]


@pytest.fixture(scope="session")
def build():
    """Build a small model: ``build(signal={...}, text={...}, local={...}, fs=..., seed=...)``."""

    def make(signal=None, text=None, local=None, fs=100.0, seed=0, **config):
        text = dict(text or {"kind": "bag", "width": 32})
        if text["kind"] == "bag":
            text["tokenizer"] = train_wordpiece(WORDS, 200)
        torch.manual_seed(seed)
        return ECGTextModel(
            ModelConfig(
                dim=32,
                signal=signal or {"kind": "resnet", "size": "tiny"},
                text=text,
                local={"width": 32} if local is None else (local or None),
                **config,
            ),
            Preprocessor(fs=fs, band=(0.5, 40.0)),
        ).eval()

    return make


@pytest.fixture(scope="session")
def noise():
    """Make prepared recordings of noise: ``noise(seconds, beats=..., seed=..., fs=...)``."""

    def make(n_times, beats=(), seed=0, fs=100.0, missing=()):
        rng = np.random.default_rng(seed)
        signal = rng.standard_normal((12, n_times)).astype(np.float32) * 0.3
        lead_mask = np.ones(12, bool)
        lead_mask[list(missing)] = False
        signal[~lead_mask] = 0
        return Prepared(signal, lead_mask, np.array(beats, np.float32), n_times / fs)

    return make
