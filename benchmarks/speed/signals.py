"""Milliseconds of each step from a recording to an augmented batch.

Run: ``python benchmarks/speed/signals.py [FOLDER_OF_100_HZ_WFDB_RECORDS]``. The least of many
runs, so that a busy machine does not count; torch's default number of threads.
"""

import platform
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from ecgclip.records import LEADS, ECGRecord, read_record, twelve_leads
from ecgclip.signals import Augmentation, Preprocessor, augmentation_keys, collate, r_peaks
from ecgclip.signals.preprocess import resample


def machine() -> str:
    """Processor, number of its cores here, and torch's version."""
    name = platform.processor() or platform.machine()
    listing = Path("/proc/cpuinfo")
    if listing.exists():
        names = [
            line.split(":", 1)[1].strip() for line in listing.read_text().splitlines() if "model name" in line
        ]
        name = names[0] if names else name
    return f"{name}, {torch.get_num_threads()} threads, torch {torch.__version__}"


def milliseconds(step: Callable[[], object], times: int = 100) -> float:
    """Shortest duration of a step."""
    durations = []
    for _ in range(times):
        start = time.perf_counter()
        step()
        durations.append(time.perf_counter() - start)
    return 1e3 * min(durations)


def recording(fs: float, seed: int = 0) -> ECGRecord:
    """Ten seconds of pulses and noise in twelve leads."""
    generator = np.random.default_rng(seed)
    times = np.arange(round(10 * fs)) / fs
    course = sum(np.exp(-0.5 * ((times - beat) / 0.02) ** 2) for beat in np.arange(0.4, 10, 0.8))
    signal = generator.uniform(-1.5, 1.5, (12, 1)) * course + generator.normal(
        scale=0.02, size=(12, times.size)
    )
    return ECGRecord(signal.astype(np.float32), fs=fs, lead_names=LEADS)


def preparation() -> dict[str, float]:
    """Of one recording of ten seconds, to 100 Hz."""
    preprocessor = Preprocessor()
    fine, coarse = recording(500.0), recording(100.0)
    signal, lead_mask = twelve_leads(fine)
    prepared = preprocessor.prepare(coarse)
    return {
        "resample 12x5000 from 500 to 100 Hz": milliseconds(lambda: resample(signal, 500.0, 100.0)),
        "band-pass 12x1000": milliseconds(lambda: preprocessor.filter(prepared.signal)),
        "R-peaks 12x1000": milliseconds(lambda: r_peaks(prepared.signal, lead_mask, 100.0)),
        "prepare a 100 Hz recording, without R-peaks": milliseconds(
            lambda: preprocessor.prepare(coarse, beats=False)
        ),
        "prepare a 100 Hz recording": milliseconds(lambda: preprocessor.prepare(coarse)),
        "prepare a 500 Hz recording": milliseconds(lambda: preprocessor.prepare(fine)),
    }


def from_files(folder: Path) -> dict[str, float]:
    """Reading and preparing the first 200 recordings of a folder, a recording."""
    headers = sorted(folder.rglob("*.hea"))[:200]
    preprocessor = Preprocessor()
    preprocessor.prepare(read_record(headers[0]))
    start = time.perf_counter()
    for header in headers:
        preprocessor.prepare(read_record(header))
    return {
        f"read and prepare, mean of {len(headers)} files": 1e3 * (time.perf_counter() - start) / len(headers)
    }


def augmentation(size: int = 128) -> dict[str, float]:
    """Of a batch of 128 recordings of ten seconds at 100 Hz, all effects and each alone."""
    off = dict.fromkeys(Augmentation.__dataclass_fields__, 0.0)
    batch = collate([Preprocessor().prepare(recording(100.0, seed)) for seed in range(size)], 100.0)
    keys = augmentation_keys(0, 0, np.arange(size))
    kinds = {"all": Augmentation(), "off": Augmentation(**off)}
    for name, strength in ((name, getattr(Augmentation(), name)) for name in off):
        kinds[name] = Augmentation(**{**off, name: strength})
    result = {}
    for name, kind in kinds.items():
        result[f"augment {size}x12x1000, {name}"] = milliseconds(lambda kind=kind: kind(batch, keys))
    if torch.cuda.is_available():
        there = batch.to("cuda")

        def step() -> None:
            kinds["all"](there, keys)
            torch.cuda.synchronize()

        result[f"augment {size}x12x1000, all, {torch.cuda.get_device_name()}"] = milliseconds(step)
    return result


def main() -> None:
    figures = {
        **preparation(),
        **(from_files(Path(sys.argv[1])) if len(sys.argv) > 1 else {}),
        **augmentation(),
    }
    print(machine())
    for name, value in figures.items():
        print(f"{value:8.2f} ms  {name}")


if __name__ == "__main__":
    main()
