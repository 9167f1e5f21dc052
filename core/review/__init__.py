"""What people decide: queue, opinions, agreement, progress; the desk that a reviewer works at. No Streamlit.

Shelf(cards, model)                             a model's programs as cards, read when asked for
Opinions(verdicts, decided)                     every reviewer's word, and which heads are decided
review_queue(best, second, opinions, reviewer, view)    the cards that wait, in order
Desk(model, records, reviewer, view).press(...)         what each key does
progress(heads, proposed, decided)              how far a model is
circuit(nodes, looks)                           which heads' programs look at which other heads

What is read from a workspace and written to it is handed in: `CardReader`, `Records`.
"""

from core.review.agreement import Agreement, agreements, cohens_kappa
from core.review.circuit import VERDICTS, Circuit, Edge, Kept, Node, circuit
from core.review.desk import HISTORY, LONGEST_NOTE, Desk
from core.review.opinions import DECISIONS, FINAL, REASONS, Opinions
from core.review.progress import Progress, heads_in_share, heads_named, progress
from core.review.queue import Filter, Pile, QueueOrder, View, review_queue, successor
from core.review.records import Records, VerdictWriter
from core.review.shelf import CardReader, Shelf

__all__ = [
    "DECISIONS",
    "FINAL",
    "HISTORY",
    "LONGEST_NOTE",
    "REASONS",
    "VERDICTS",
    "Agreement",
    "CardReader",
    "Circuit",
    "Desk",
    "Edge",
    "Filter",
    "Kept",
    "Node",
    "Opinions",
    "Pile",
    "Progress",
    "QueueOrder",
    "Records",
    "Shelf",
    "VerdictWriter",
    "View",
    "agreements",
    "circuit",
    "cohens_kappa",
    "heads_in_share",
    "heads_named",
    "progress",
    "review_queue",
    "successor",
]
