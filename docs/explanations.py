"""Draw the sheets of docs/explanations.md again: python docs/explanations.py RUN PTB-XL"""

import sys
from pathlib import Path

from ecgclip.cli import main

FIGURES = Path(__file__).parent / "figures"
SHEETS = {
    "explain-atrial-fibrillation": ["--record", "00318_lr"],
    "explain-premature-beats": ["--record", "01084_lr"],
    "explain-premature-beats-attention": ["--record", "01084_lr", "--plan", "attention"],
    "explain-left-bundle": ["--record", "00618_lr"],
    "explain-st-elevation": [
        "--record",
        "13913_lr",
        "--text",
        "sinus tachycardia; ST elevation in anterolateral leads; Q waves in anteroseptal leads; "
        "ST depression in inferior leads; recent lateral myocardial infarction",
    ],
}


def draw(run: str, data: str) -> int:
    """Draw every sheet; 1 if one failed."""
    FIGURES.mkdir(exist_ok=True)
    failed = 0
    for name, options in SHEETS.items():
        command = ["explain", run, "--data", data, *options, "--out", str(FIGURES / f"{name}.png")]
        print(f"\n$ ecgclip {' '.join(command)}")
        failed += main(command) != 0
    return int(failed > 0)


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    sys.exit(draw(*sys.argv[1:]))
