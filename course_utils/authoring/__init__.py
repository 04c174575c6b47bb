"""From a lesson's one source, `solutions/NN_name.py`, to its two notebooks.

`sources` reads the source, `editions` makes the notebooks, `rules` says what has drifted, and
`running` executes a lesson. Only authors, instructors and tests import this package: it needs
requirements-test.txt.
"""

from .editions import build_lessons, make_edition, to_bytes
from .rules import check_lessons
from .running import execute_lesson, execute_lessons, measure_lesson, run_lesson
from .sources import Lesson, LessonError, find_lessons, find_root, read_cells

__all__ = [
    "Lesson",
    "LessonError",
    "build_lessons",
    "check_lessons",
    "execute_lesson",
    "execute_lessons",
    "find_lessons",
    "find_root",
    "make_edition",
    "measure_lesson",
    "read_cells",
    "run_lesson",
    "to_bytes",
]
