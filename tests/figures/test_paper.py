"""The 12-lead sheet: its measures, its refusals, and that it loads matplotlib only when it draws."""

import subprocess
import sys

import numpy as np
import pytest

from ecgclip.errors import DataError, UsageError
from ecgclip.figures import draw_sheet, ecg_sheet
from ecgclip.figures.paper import MM_PER_MV, MM_PER_S
from ecgclip.records import LEADS, ECGRecord

FS = 100.0


def ramp(seconds=10.0):
    """Lead k shows k/10 mV at every full second and nothing else."""
    signal = np.zeros((12, int(seconds * FS)), dtype=np.float32)
    for k in range(12):
        signal[k, ::100] = k / 10
    return signal


def test_a_millivolt_is_ten_millimetres_and_a_second_is_25():
    signal = np.zeros((12, 1000), dtype=np.float32)
    signal[1, 500] = 1.0
    sheet = draw_sheet(signal, fs=FS)
    strip = [line for line in sheet.axes.get_lines() if len(line.get_xdata()) == 1000]
    x, y = strip[0].get_xdata(), strip[0].get_ydata()
    top = int(np.argmax(y))
    assert y[top] - sheet.baseline(3) == pytest.approx(MM_PER_MV)
    assert x[top] - x[0] == pytest.approx(5 * MM_PER_S)
    assert sheet.x(5.0) == pytest.approx(x[top])
    width, height = sheet.figure.get_size_inches() * 25.4
    assert sheet.axes.get_xlim()[1] == pytest.approx(width)
    assert sheet.axes.get_ylim()[1] == pytest.approx(height)


def test_each_lead_shows_its_own_quarter():
    sheet = draw_sheet(ramp(), fs=FS)
    places = {lead: sheet.place(lead) for lead in LEADS}
    assert len(set(places.values())) == 12
    assert places["aVF"] == (2, 1)
    assert places["V4"] == (0, 3)
    columns = [line for line in sheet.axes.get_lines() if len(line.get_xdata()) == 250]
    assert len(columns) == 12


def test_a_missing_lead_leaves_its_place_empty():
    record = ECGRecord(ramp()[[6, 7]], fs=FS, lead_names=("V1", "V2"))
    sheet = draw_sheet(record)
    assert len([line for line in sheet.axes.get_lines() if len(line.get_xdata()) == 250]) == 2


def test_it_writes_pictures_whole_or_not_at_all(tmp_path):
    path = tmp_path / "sheet.png"
    ecg_sheet(ramp(), path, fs=FS, title="a title")
    assert path.read_bytes()[:4] == b"\x89PNG"
    assert [p.name for p in tmp_path.iterdir()] == ["sheet.png"]
    with pytest.raises(DataError, match="ending in"):
        ecg_sheet(ramp(), tmp_path / "sheet.txt", fs=FS)
    with pytest.raises(DataError, match="could not be written"):
        ecg_sheet(ramp(), tmp_path / "absent" / "sheet.png", fs=FS)


@pytest.mark.parametrize(
    ("signal", "options", "message"),
    [
        (ramp(), {}, "needs fs="),
        (ramp()[:3], {"fs": FS}, "expected \\(12, time\\)"),
        (ramp(), {"fs": FS, "start": 20.0}, "nothing to draw"),
        (ramp(), {"fs": FS, "rhythm_lead": "V9"}, "rhythm lead"),
    ],
)
def test_it_refuses_what_it_cannot_draw(signal, options, message):
    with pytest.raises(UsageError, match=message):
        ecg_sheet(signal, **options)


def test_importing_figures_loads_no_matplotlib():
    code = "import sys, ecgclip.figures; assert not {'matplotlib', 'torch'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
