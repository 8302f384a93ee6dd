"""Property tests: as many examples on a slow machine as on a fast one, and no file left behind."""

from __future__ import annotations

import atexit
import tempfile

from hypothesis import HealthCheck, settings
from hypothesis.configuration import set_hypothesis_home_dir

_home = tempfile.TemporaryDirectory(prefix="hypothesis-")
atexit.register(_home.cleanup)
set_hypothesis_home_dir(_home.name)
settings.register_profile(
    "unit", deadline=None, database=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("unit")
