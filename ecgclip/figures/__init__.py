"""Pictures from numbers: the clinical 12-lead sheet and what is laid over it."""

from .paper import Sheet, draw_sheet, ecg_sheet
from .plan import plan_sheet

__all__ = ["Sheet", "draw_sheet", "ecg_sheet", "plan_sheet"]
