"""Numbers in sentences."""


def counted(number: int, noun: str) -> str:
    """`1 head`, `2 heads`, `1,000 heads`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
