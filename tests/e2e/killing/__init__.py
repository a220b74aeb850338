"""kill -> restart -> recover, thousands of times, while a target that is never killed counts.

    python -m tests.e2e.killing --kills 10000 --journal both

A clerk process proposes and approves, worker processes do; each dies at a chosen await or at a
random moment and is started again. See `driver` for what is checked at the end.
"""
