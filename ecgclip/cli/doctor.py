"""``ecgclip doctor``: what this installation has and what it lacks."""

import argparse

from .arguments import add_json

NAME = "doctor"
HELP = "show versions, device, precision and what is missing"


def add(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    """Run the command."""
    import json

    found = _facts()
    if args.json:
        print(json.dumps(found))
        return 0
    width = max(map(len, found))
    for key, value in found.items():
        print(f"{key:{width}}  {value}")
    return 0


def _facts() -> dict[str, str]:
    import os
    from importlib.metadata import PackageNotFoundError, version

    import torch

    from ecgclip.training.loop import multiplies_bfloat16

    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    found = {
        "device": torch.cuda.get_device_name()
        if device.type == "cuda"
        else f"cpu, {torch.get_num_threads()} threads",
        "precision auto": "bfloat16" if multiplies_bfloat16(device) else "float32",
        "hub": "offline (HF_HUB_OFFLINE)"
        if os.environ.get("HF_HUB_OFFLINE") == "1"
        else "online when needed",
        "hub cache": os.environ.get("HF_HUB_CACHE", "default"),
    }
    packages = ("ecgclip", "torch", "torchvision", "accelerate", "transformers", "open_clip_torch", "wfdb")
    for package in (*packages, "neurokit2", "pot", "scikit-learn", "datasets", "matplotlib"):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "absent: pip install ecgclip brings it"
    return found
