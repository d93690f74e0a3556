"""What the documents show runs as it stands."""

import re
from pathlib import Path

import numpy as np
import pytest

from ecgclip.prompts import PromptBank, lint_bank

DOCS = Path(__file__).parents[2] / "docs"


def blocks(name, language):
    return re.findall(rf"```{language}\n(.*?)```", (DOCS / name).read_text(encoding="utf-8"), re.DOTALL)


@pytest.mark.parametrize("name", ["classifier.md", "prompts.md"])
def test_the_examples_run(name, tiny_model, tiny_store, simulated, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    known = {
        "model": tiny_model,
        "store": tiny_store,
        "records": [simulated.record(0), simulated.record(1)],
        "scores_of_validation": rng.normal(size=(40, 5)).astype(np.float32),
        "targets": rng.integers(0, 2, size=(40, 5)),
        "every_target": rng.integers(0, 2, size=(len(tiny_store), 5)),
    }
    found = blocks(name, "python")
    assert found
    for block in found:
        block = (
            block.replace('split="validation")', 'split="validation", minimum=2)')
            if "table =" in block
            else block
        )
        exec(compile(block, name, "exec"), known)


def test_the_bank_that_is_shown_is_a_bank(tmp_path):
    (block,) = blocks("prompts.md", "yaml")
    path = tmp_path / "my-bank.yaml"
    path.write_text(block, encoding="utf-8")
    bank = PromptBank.load(path)
    assert bank.labels == ("AF", "AFL")
    assert all("fewer than" in fault or "no phrase of kind name" in fault for fault in lint_bank(bank))
