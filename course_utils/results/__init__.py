"""What every recipe reaches: trained from several seeds, measured, written down.

python -m course_utils results

Trains only what `course_utils/results.json` lacks, each run in a process of its own; a run that was
cut off goes on. Then it writes that file, docs/results.md with its figures, the table of recipes in
the README, and the shipped networks.
"""

from .measure import measure_results
from .report import write_results
from .store import load_results

__all__ = ["load_results", "measure_results", "write_results"]
