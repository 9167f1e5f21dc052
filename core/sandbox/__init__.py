"""Plain-Python programs of other people, in a process that can do no harm.

read_programs(path)                         the programs of a file, each with what it needs
shared(tokenizer).run(source, name, ...)    what one gives for passages: matrices or Failures

`guest.py`, `stand_ins.py` and `lockdown.py` are that process: run by their paths, they import nothing of
Headscript. `zygote.py` starts it and has it fork guests, `guests.py` talks with one, `protocol.py` judges
what it says, `pool.py` puts many to work.
"""

from core.sandbox.documents import document_of
from core.sandbox.lockdown import why_not
from core.sandbox.pool import Passage, Sandbox, require_sandbox, shared
from core.sandbox.programs import PlainSource, programs_in, read_plain, read_programs
from core.sandbox.zygote import Limits

__all__ = [
    "Limits",
    "Passage",
    "PlainSource",
    "Sandbox",
    "document_of",
    "programs_in",
    "read_plain",
    "read_programs",
    "require_sandbox",
    "shared",
    "why_not",
]
