"""Where on the heart: walls from words and from lead lists, and what several walls are together.

Lead groups follow the usual reading of the twelve leads (AHA/ACCF/HRS recommendations, part VI, 2009):
II, III, aVF inferior; I, aVL high lateral; V1, V2 septal; V3, V4 anterior; V5, V6 lateral.
"""

from collections.abc import Iterable
from functools import lru_cache

__all__ = ["WALLS", "leads_to_walls", "name_walls"]

WALLS: dict[str, frozenset[str]] = {
    "septal": frozenset("S"),
    "anterior": frozenset("A"),
    "anteroseptal": frozenset("SA"),
    "lateral": frozenset("L"),
    "high lateral": frozenset("H"),
    "anterolateral": frozenset("AL"),
    "inferior": frozenset("I"),
    "inferolateral": frozenset("IL"),
    "inferoposterior": frozenset("IP"),
    "inferoposterolateral": frozenset("IPL"),
    "posterior": frozenset("P"),
    "posterolateral": frozenset("PL"),
    "inferoseptal": frozenset("IS"),
    "apical": frozenset("X"),
    "basal": frozenset("B"),
    "right ventricular": frozenset("R"),
    "limb leads": frozenset("l"),
    "chest leads": frozenset("c"),
    "all leads": frozenset("w"),
}
_OF = {
    "II": "I", "III": "I", "aVF": "I", "I": "H", "aVL": "H", "V1": "S", "V2": "S",
    "V3": "A", "V4": "A", "V5": "L", "V6": "L", "aVR": "",
}  # fmt: skip
_LIMB = frozenset(("I", "II", "III", "aVL", "aVF"))
_CHEST = frozenset(("V1", "V2", "V3", "V4", "V5", "V6"))
_SHORT = {
    frozenset("HL"): ("lateral",),
    frozenset("SAL"): ("anterolateral",),
    frozenset("AH"): ("anterolateral",),
    frozenset("SAH"): ("anterolateral",),
    frozenset("AHL"): ("anterolateral",),
    frozenset("SAHL"): ("anterolateral",),
    frozenset("SL"): ("septal", "lateral"),
    frozenset("SH"): ("septal", "high lateral"),
    frozenset("SHL"): ("septal", "lateral"),
    frozenset("IH"): ("inferolateral",),
    frozenset("IHL"): ("inferolateral",),
    frozenset("IPHL"): ("inferoposterolateral",),
    frozenset("IA"): ("inferior", "anterior"),
    frozenset("IS"): ("inferior", "septal"),
    frozenset("ISA"): ("inferior", "anteroseptal"),
    frozenset("lc"): ("all leads",),
}
_NAME = {regions: (name,) for name, regions in WALLS.items()} | _SHORT


def leads_to_walls(leads: Iterable[str]) -> frozenset[str]:
    """Give the regions that a list of leads looks at.

    II alone beside lateral leads says nothing of the inferior wall, V4 alone beside V5 and V6 nothing of the
    anterior one: both are common company of lateral changes.
    """
    there = frozenset(leads)
    regions = {_OF[lead] for lead in there if _OF.get(lead)}
    if there & {"II", "III", "aVF"} == {"II"} and regions & {"H", "L"}:
        regions.discard("I")
    if there & {"V1", "V2", "V3", "V4"} == {"V4"} and "L" in regions:
        regions.discard("A")
    return frozenset(regions)


@lru_cache(maxsize=1024)
def name_walls(regions: frozenset[str], *, in_leads: bool = True) -> tuple[str, ...]:
    """Name the regions together: anterior and lateral are anterolateral.

    Args:
        regions: what `leads_to_walls` or `WALLS` gave.
        in_leads: the place of a wave or segment: seen in nearly all leads, it is said so; an infarction is
            said of its walls one by one.
    """
    if "w" in regions and not in_leads:
        return name_walls(regions - {"w"}, in_leads=False) or ("widespread",)
    if regions in _NAME:
        return _NAME[regions]
    if "w" in regions:
        return ("all leads",)
    if "I" in regions and "A" in regions and regions & {"L", "H"}:
        return ("all leads",) if in_leads else ("inferior", *name_walls(regions - {"I"}))
    if regions & {"l", "c"}:
        return _with_groups(regions)
    return tuple(name for name, only in WALLS.items() if len(only) == 1 and only <= regions)


def _with_groups(regions: frozenset[str]) -> tuple[str, ...]:
    spread = set(regions - {"l", "c"})
    spread |= {"I", "H"} if "l" in regions else set()
    spread |= {"S", "A", "L"} if "c" in regions else set()
    return name_walls(frozenset(spread))
