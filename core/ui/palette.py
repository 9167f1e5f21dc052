"""The palette under the name that pages know."""

from core.palette import CIVIDIS, PUOR, VERDICTS

__all__ = ["CIVIDIS", "PUOR", "VERDICTS", "damage_colour"]


def damage_colour(change: float) -> tuple[str, str]:
    """Background and ink for a token whose loss changed by so many nats: orange worse, purple better."""
    steps = min(4, int(abs(change) / 0.5) + 1)
    background = PUOR[5 + steps] if change > 0 else PUOR[5 - steps]
    return background, "#ffffff" if steps == 4 else "#1a1a1a"
