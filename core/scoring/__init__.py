"""How well a program reproduces a head: scores, baselines, intervals."""
