"""Quality as a number: how near samples are to real images, and to which of them.

Everything here looks at images through a small classifier of the course's own, which is shipped
(99.6 % on the MNIST test set, as `load_judge("mnist").facts` says). Distances on its features are
no FID: that name belongs to Inception's features, and the figures cannot be compared.

Read in this order:

- `features.py`   the classifiers, and the features `(N, 128)` they see in images
- `reference.py`  the real images that samples are compared with, and those that set the floor
- `scores.py`     a number that knows its sample count and its floor
- `distances.py`  Fréchet and kernel distance between two sets of features
- `classes.py`    what the classifier's answers tell: classifier score and class coverage
- `neighbours.py` precision and recall, density and coverage, the nearest real images
- `report.py`     all of it at once
"""

from .classes import ClassCoverage, class_coverage, classifier_score
from .distances import frechet_classifier_distance, kernel_classifier_distance
from .features import Features, extract, load_judge
from .neighbours import (
    Neighbours,
    density_coverage,
    nearest_neighbours,
    precision_recall,
)
from .reference import Reference, get_reference
from .report import Report, judge_samples
from .scores import Score

__all__ = [
    "ClassCoverage",
    "Features",
    "Neighbours",
    "Reference",
    "Report",
    "Score",
    "class_coverage",
    "classifier_score",
    "density_coverage",
    "extract",
    "frechet_classifier_distance",
    "get_reference",
    "judge_samples",
    "kernel_classifier_distance",
    "load_judge",
    "nearest_neighbours",
    "precision_recall",
]
