"""Programs that every program has to beat."""

from __future__ import annotations

BASELINES: dict[str, str] = {
    "first token": '''def attend(q, k):
    """Everything rests on the first token."""
    return k.is_first
''',
    "previous token": '''def attend(q, k):
    """Looks at the token before."""
    return k == q.prev
''',
    "uniform": '''def attend(q, k):
    """Looks at all tokens alike."""
    return 1.0
''',
    "same token": '''def attend(q, k):
    """Looks at earlier occurrences of the same token."""
    return k.lower == q.lower and k.index < q.index
''',
    "random token": '''def attend(q, k):
    """Looks at one arbitrary token, chosen by arithmetic on the position."""
    return k.index == (q.index * 7919 + 104) % 997 % (q.index + 1)
''',
}
