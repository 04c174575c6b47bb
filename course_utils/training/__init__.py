"""Training a GAN: the mathematics of one step, and the loop around it.

`step.py` holds the mathematics and can be read on one screen. `loop.py` knows nothing of it: it
runs any step over any loader, with the speed of `speed.py`, `graphs.py` and `scaling.py`, keeps
the run safe with `runs.py` and `interrupt.py`, and leaves a `History`. `conditional.py` is the
game with labels.
"""

from .conditional import ConditionalStep
from .history import History
from .interrupt import Stopped, end_stopped_cell, stoppable
from .loop import Progress, run_a_gan, train
from .speed import Switches, choose_precision
from .step import AdversarialStep
