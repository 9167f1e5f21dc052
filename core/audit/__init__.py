"""What else can be asked of a program or a hybrid than how well it fits: one file an audit, one table.

AUDITS["coverage"].run(subject, limits, told)   a Finding: figures, rows, shaded texts, a note, a verdict
AUDITS.add(Audit(...))                          one more; its command, job and place on the pages follow

To add one here, write a file that makes an `Audit` and name it in `table.py`. What imports transformers is
imported where it is used: pages and commands only list the table.
"""

from core.audit.contract import (
    Audit,
    AuditVerdict,
    Cell,
    Figure,
    Finding,
    HybridSubject,
    Of,
    ProgramSubject,
    Shaded,
    Unit,
    at_least,
    at_most,
    probe_of,
)
from core.audit.ladder import RUNGS, RungName, Standing, standings, twins
from core.audit.passages import Passages, Splits
from core.audit.table import AUDITS, checked, ready

__all__ = [
    "AUDITS",
    "RUNGS",
    "Audit",
    "AuditVerdict",
    "Cell",
    "Figure",
    "Finding",
    "HybridSubject",
    "Of",
    "Passages",
    "ProgramSubject",
    "RungName",
    "Shaded",
    "Splits",
    "Standing",
    "Unit",
    "at_least",
    "at_most",
    "checked",
    "probe_of",
    "ready",
    "standings",
    "twins",
]
