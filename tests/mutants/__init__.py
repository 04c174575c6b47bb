"""Mutants of every reference: wrong answers made mechanically, to measure the checks.

`generate` makes them, `judging` asks the check and then looks for a difference from the
reference, on the `questions` of each exercise. `equivalent` explains those that may be called
right. `make mutants` runs all of it, `python -m tests.mutants 07 01.6` a part.
"""
