"""For pytest, wherever it is started: short profile, and nothing kept in the checkout."""

import os
import tempfile

os.environ.setdefault("COURSE_PROFILE", "short")
if "COURSE_RUNS" not in os.environ:
    _runs = tempfile.TemporaryDirectory(prefix="course-runs-")  # gone when pytest ends
    os.environ["COURSE_RUNS"] = _runs.name
