"""Where controls cost no more than programs."""

import pandas as pd

from core.audit.cheap_controls import cheap_controls


def test_a_control_is_cheap_unless_it_clearly_costs_more() -> None:
    """At a quarter `uniform` costs more, but not clearly; at half it does. Older curves have no interval."""
    rows = [("cost", False, 0.25, 0.10, None), ("cost", False, 0.5, 0.30, None)]
    rows += [("uniform", True, 0.25, 0.11, [-0.01, 0.03]), ("uniform", True, 0.5, 0.90, [0.5, 0.7])]
    rows += [("shuffled", True, 0.25, 0.10, None), ("shuffled", True, 0.5, 0.31, None)]
    frame = pd.DataFrame(rows, columns=["order", "control", "share", "kl", "beyond"])
    assert cheap_controls(frame) == {"uniform": [0.25], "shuffled": [0.25]}
