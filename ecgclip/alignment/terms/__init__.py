"""The terms on whole recordings, reports and statements, one file each."""

from .attention import TokenTerm
from .captioning import Captioning
from .clouds import Clouds
from .infonce import InfoNCE, StatementInfoNCE, multi_positive
from .learned_beats import LearnedBeats
from .matching import Matching
from .sigmoid import SigmoidPairs
from .soft_targets import SoftTargets
from .views import ViewInfoNCE

__all__ = [
    "Captioning",
    "Clouds",
    "InfoNCE",
    "LearnedBeats",
    "Matching",
    "SigmoidPairs",
    "SoftTargets",
    "StatementInfoNCE",
    "TokenTerm",
    "ViewInfoNCE",
    "multi_positive",
]
