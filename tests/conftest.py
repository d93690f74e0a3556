"""Fixtures that every room's tests share."""

import copy
import os
from pathlib import Path

import pytest

# tests are many small jobs, and threads that wait for one another slow a shared machine tenfold
os.environ.setdefault("OMP_NUM_THREADS", "1")


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Folder of real recordings, from ECGCLIP_TEST_DATA; skipped without it."""
    folder = os.environ.get("ECGCLIP_TEST_DATA", "")
    if not folder or not Path(folder).is_dir():
        pytest.skip(
            "no real recordings: set ECGCLIP_TEST_DATA to a folder that holds ptb-xl, challenge2021, …"
        )
    return Path(folder)


@pytest.fixture(scope="session")
def simulated():
    """A simulated corpus of 200 recordings."""
    from ecgclip.corpora import simulate

    return simulate(n=200, seed=0)


@pytest.fixture(scope="session")
def tiny_store(simulated, tmp_path_factory):
    """The simulated corpus, prepared."""
    from ecgclip.corpora import prepare
    from ecgclip.signals import Preprocessor

    return prepare(simulated, Preprocessor(), tmp_path_factory.mktemp("tiny") / "store", workers=1)


TINY_RECIPE = {
    "name": "tiny",
    "data": {"corpus": {"kind": "simulated", "n": 200, "seed": 0}, "workers": 1},
    "reports": {"vocabulary": 512},
    "model": {
        "dim": 32,
        "signal": {"kind": "resnet", "size": "tiny"},
        "text": {"kind": "bag", "width": 32},
        "local": {"width": 32},
    },
    "objective": [{"kind": "infonce"}, {"kind": "local", "scale": "beat", "plan": "attention"}],
    "schedule": {"epochs": 2, "batch_size": 32, "validate_every": 1},
    "precision": "float32",
}


@pytest.fixture
def tiny_recipe(tiny_store):
    """A recipe that trains a tiny model on the prepared simulated corpus in seconds; free to be changed."""
    recipe = copy.deepcopy(TINY_RECIPE)
    recipe["data"]["store"] = str(tiny_store.path)
    return recipe


@pytest.fixture(scope="session")
def tiny_run(tiny_store, tmp_path_factory):
    """A finished run of the tiny recipe."""
    from ecgclip.training import pretrain

    recipe = copy.deepcopy(TINY_RECIPE)
    recipe["data"]["store"] = str(tiny_store.path)
    return pretrain(recipe, out=tmp_path_factory.mktemp("tiny") / "run", report=lambda line: None)


@pytest.fixture(scope="session")
def tiny_model(tiny_run):
    """The tiny run's model; tests leave it as it is."""
    return tiny_run.model()


@pytest.fixture(scope="session")
def tower_folder(tmp_path_factory):
    """A tiny BERT with its tokenizer, as the hub keeps one."""
    import torch
    from tokenizers import Tokenizer
    from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

    from ecgclip.reports import train_wordpiece

    words = ["atrial fibrillation", "sinus rhythm", "left bundle branch block", "inferior infarction"]
    folder = tmp_path_factory.mktemp("tower")
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=Tokenizer.from_str(train_wordpiece(words, 200)),
        pad_token="[PAD]",
        unk_token="[UNK]",
        cls_token="[CLS]",
        sep_token="[SEP]",
    )
    tokenizer.save_pretrained(folder)
    torch.manual_seed(0)
    BertModel(
        BertConfig(
            vocab_size=len(tokenizer),
            hidden_size=16,
            num_hidden_layers=2,
            num_attention_heads=2,
            intermediate_size=32,
        )
    ).save_pretrained(folder)
    return folder
