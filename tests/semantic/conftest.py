"""What the interpreter's tests share: modules beside them, found by their folder because tests are no package."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
