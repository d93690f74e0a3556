"""``python -m ecgclip.cli``: the same as the console script, for launchers that want a module."""

import sys

from .main import main

sys.exit(main())
