"""Best programs with the heads they look at resolved to their own; a finished unit is a split."""

from __future__ import annotations

from core.jobs.folder import Job
from core.jobs.results import ResolvedFound
from core.jobs.tasks import ResolveTask
from core.jobs.work.search import device_of, split_features
from core.scoring import Resolved, chains, program_of, score
from core.store.passages import read_passages
from core.store.workspace import attention_folder, reader_of
from core.types import Score, Split

_SPLITS = (Split.VALIDATION, Split.TEST)


def resolve_programs(job: Job[ResolveTask]) -> None:
    """The resolved score of every program of the task that looks, on validation and test."""
    task, events, finished = job.task, job.events, job.folder.finished()
    place = attention_folder(job.place.workspace, task.info.id)
    passages = read_passages(job.place.workspace, task.passages)
    attention, device = reader_of(job.place.workspace, task.info.id), device_of(job.place)
    programs = {head: program_of(source) for head, source in task.programs}
    looking = [head for head in sorted(programs) if programs[head].looks]
    names = chains(programs)
    for at, split in enumerate(_SPLITS):
        features = split_features(place, passages, split)
        if f"resolved-{split}.json" in finished or not len(features):
            continue
        resolved, scores = Resolved(programs, features, task.info.is_causal, device), list[Score]()
        for done, head in enumerate(looking):
            maps = attention.restricted(features.sentences).layer(head.layer, [head.head])
            window = task.info.window(head.layer)
            scores += score(resolved.produced(head), maps, [head], split, window)
            events.progress("resolving references", at * len(looking) + done + 1, len(_SPLITS) * len(looking))
        stored = events.scores(f"resolved-{split}", scores)
        chosen = {head: names[head] for head in looking}
        events.result(f"resolved-{split}", ResolvedFound(task.info.id, stored, chosen))
