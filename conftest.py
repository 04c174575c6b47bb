"""For pytest, wherever it is started: notebooks and tests run in the short profile."""

import os

os.environ.setdefault("COURSE_PROFILE", "short")
