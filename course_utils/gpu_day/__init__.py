"""A GPU day: all that a CPU cannot measure, in fifteen minutes.

python -m course_utils gpu-day            (also `make gpu-day`)
python -m course_utils gpu-day --fill     the tables, from what was measured

`parts.py` says what is measured, in the order of its worth; `day.py` runs it, each task in a
process of its own with a time limit, and stores what it found at once in `day.json`, so that a day
that was cut off goes on with what is missing. `tables.py` writes what follows from that file.
"""

from .day import measure_task, run_day
from .parts import PARTS
from .tables import fill_tables

__all__ = ["PARTS", "fill_tables", "measure_task", "run_day"]
