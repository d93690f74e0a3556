"""Lead geometry: the heart's dipole seen by twelve leads, and the electrodes the leads are differences of."""

from functools import lru_cache

import numpy as np
import numpy.typing as npt

__all__ = ["DIPOLE_TO_LEADS", "ELECTRODES_TO_LEADS", "axis_jitter", "rotations"]

Array = npt.NDArray[np.float64]

_DOWER = np.array(
    [
        [0.632, -0.235, 0.059],  # I
        [0.235, 1.066, -0.132],  # II
        [-0.515, 0.157, -0.917],  # V1
        [0.044, 0.164, -1.387],  # V2
        [0.882, 0.098, -1.277],  # V3
        [1.213, 0.127, -0.601],  # V4
        [1.125, 0.127, -0.086],  # V5
        [0.831, 0.076, 0.230],  # V6
    ]
)


def _with_derived_limb_leads(independent: Array) -> Array:
    """Rows I, II, V1..V6 to the twelve: III = II - I, and the augmented leads (Einthoven, Goldberger)."""
    one, two = independent[0], independent[1]
    limbs = [one, two, two - one, -(one + two) / 2, one - two / 2, two - one / 2]
    return np.vstack([*limbs, *independent[2:]])


def _electrode_leads() -> Array:
    """Rows of the twelve leads over the electrodes RA, LA, LL, V1..V6 (Wilson's terminal for V1..V6)."""
    rows = np.zeros((8, 9))
    rows[0, [0, 1]] = -1.0, 1.0
    rows[1, [0, 2]] = -1.0, 1.0
    rows[2:, :3] = -1.0 / 3.0
    rows[2:, 3:] = np.eye(6)
    return _with_derived_limb_leads(rows)


DIPOLE_TO_LEADS: Array = _with_derived_limb_leads(_DOWER)
"""``(12, 3)``: leads from the Frank axes X (left), Y (foot), Z (back); Dower, Machado and Osborne 1980."""

ELECTRODES_TO_LEADS: Array = _electrode_leads()
"""``(12, 9)``: leads from the potentials of RA, LA, LL, V1..V6. Whatever enters here keeps Einthoven."""


def rotations(angles: Array) -> Array:
    """Rotation matrices ``(n, 3, 3)`` from ``(n, 3)`` radians about X, then Y, then Z."""
    cos, sin = np.cos(angles), np.sin(angles)
    out = np.zeros((len(angles), 3, 3, 3))
    for axis in range(3):
        first, second = (axis + 1) % 3, (axis + 2) % 3
        out[:, axis, axis, axis] = 1.0
        out[:, axis, first, first] = out[:, axis, second, second] = cos[:, axis]
        out[:, axis, second, first] = sin[:, axis]
        out[:, axis, first, second] = -sin[:, axis]
    product: Array = out[:, 2] @ out[:, 1] @ out[:, 0]
    return product


def axis_jitter(angles: Array, lead_mask: npt.NDArray[np.bool_]) -> Array:
    """Matrices ``(n, 12, 12)`` that turn the dipole part of a recording and leave the rest as it is.

    The dipole is the least-squares one of the leads that are there; what a dipole cannot explain stays:
    ``x + D (R - 1) D⁺ x`` with ``D`` the lead geometry of one dipole.

    Args:
        angles: ``(n, 3)`` radians about X, Y, Z.
        lead_mask: ``(n, 12)`` true where the lead is present.
    """
    turn = rotations(angles) - np.eye(3)
    masks, which = np.unique(lead_mask, axis=0, return_inverse=True)
    inverse = np.stack([_to_dipole(tuple(mask.tolist())) for mask in masks])[which.reshape(-1)]
    change: Array = np.eye(12) + DIPOLE_TO_LEADS @ (turn @ inverse)
    return change


@lru_cache(maxsize=256)
def _to_dipole(lead_mask: tuple[bool, ...]) -> Array:
    """Least-squares dipole ``(3, 12)`` from the present leads; zero columns for the absent."""
    inverse: Array = np.linalg.pinv(DIPOLE_TO_LEADS * np.array(lead_mask)[:, None])
    return inverse
