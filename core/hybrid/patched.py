"""A hybrid model: patterns in the place of heads, for as long as a `with` block lasts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor

from core.errors import HybridError
from core.features import Features
from core.hybrid.passes import Pass
from core.hybrid.sources import NO_MAPS, HeadMaps, PatternSource, ProgramPatterns, refuse_circles
from core.language import ParsedProgram, PlainProgram
from core.models import patching
from core.models.attention import padded_ids, without_cache
from core.models.pretrained import LoadedModel
from core.sandbox import require_sandbox
from core.scoring import program_of
from core.settings import trusts_programs
from core.types import HeadId, HybridSpec, ModelInfo


@dataclass
class Hybrid:
    """A patched model; valid inside the `with` block that made it."""

    loaded: LoadedModel
    source: PatternSource
    failures: int = 0  # (head, sentence) pairs so far that kept the head's own attention

    def logits(self, features: Features, rows: Sequence[int], replaced: bool = True) -> Tensor:
        """Logits [sentence, token, vocabulary] of sentences `rows`, padded on the right.

        `replaced=False` gives the unmodified model's, under the same patch.
        """
        with torch.inference_mode():
            if not replaced:
                return self.forward(features, rows, None)
            found = self.passed(features, rows, self.source.patterns(features.select(rows)))
            self.failures += found.failures
            return found.logits

    def forward(self, features: Features, rows: Sequence[int], patterns: HeadMaps | None) -> Tensor:
        """The same with these patterns, differentiable in their weights and mix."""
        return self.passed(features, rows, patterns).logits

    def passed(
        self,
        features: Features,
        rows: Sequence[int],
        patterns: HeadMaps | None,
        watched: frozenset[HeadId] = frozenset(),
        seen: Mapping[HeadId, Tensor] | None = None,
    ) -> Passed:
        """The same with what happened on the way; what the heads `watched` gave is kept.

        `seen` is what heads gave that do not run because their layers are left out.
        """
        ids, mask = padded_ids(features, rows, self.loaded.device)
        patterns = patterns or HeadMaps([], torch.zeros(len(ids), 0, ids.shape[1], ids.shape[1]))
        with self.attending(patterns, dict(seen or {}), watched) as passing:
            output = self.loaded.model(input_ids=ids, attention_mask=mask, **without_cache(self.loaded))
        logits: Tensor = output.logits if "logits" in output else output.last_hidden_state
        kept = {head: passing.seen[head] for head in watched if head in passing.seen}
        return Passed(logits, passing.patterns.ran, passing.failed(), kept)

    @contextmanager
    def attending(
        self,
        patterns: HeadMaps | None,
        seen: dict[HeadId, Tensor] | None = None,
        watched: frozenset[HeadId] = frozenset(),
    ) -> Iterator[Pass]:
        """Forward passes in the block attend to these patterns; `seen` holds what went before in the text."""
        passing = Pass(self.loaded.info, patterns or NO_MAPS, {} if seen is None else seen, watched)
        with patching.attending(self.loaded.model, self.loaded.sites, passing.layers()):
            yield passing


@dataclass(frozen=True)
class Passed:
    """What a forward pass gave."""

    logits: Tensor  # [sentence, token, vocabulary]
    replaced: Tensor  # bool [sentence, head], on the CPU: where a head was to be replaced
    failed: Tensor  # the same: where its program looks, and failed in the pass
    seen: Mapping[HeadId, Tensor]  # [sentence, query, key] of the heads that were watched

    @property
    def ran(self) -> Tensor:
        """Where a head was replaced: bool [sentence, head], on the CPU."""
        return self.replaced & ~self.failed

    @property
    def failures(self) -> int:
        """(head, sentence) pairs that kept the head's own attention."""
        return int((~self.ran).sum())


@contextmanager
def hybrid(loaded: LoadedModel, spec: HybridSpec) -> Iterator[Hybrid]:
    """`loaded` with the heads of `spec` replaced; restored when the block ends, also by an exception.

    Raises HybridError before any work if the spec does not fit the model, ProgramError if a program
    does not parse, SandboxError if one is plain Python and this machine runs none.
    """
    programs = parsed(loaded.info, spec)
    with replaced(loaded, ProgramPatterns(programs, loaded.info.is_causal, loaded.device)) as patched:
        yield patched


@contextmanager
def replaced(loaded: LoadedModel, source: PatternSource) -> Iterator[Hybrid]:
    """`loaded` with heads replaced by the patterns of any source; restored when the block ends."""
    require_patchable(loaded)
    with patching.patched(loaded.model):
        yield Hybrid(loaded, source)


def require_patchable(loaded: LoadedModel) -> None:
    """Raises HybridError if the model's attention cannot be replaced."""
    reason = loaded.info.traits.attention_only
    if reason:
        raise HybridError(f"the heads of {loaded.info.name} cannot be replaced: {reason}")


def parsed(info: ModelInfo, spec: HybridSpec) -> dict[HeadId, ParsedProgram]:
    """The programs of a spec; raises HybridError if it does not fit the model."""
    if spec.model != info.id:
        raise HybridError(f"this hybrid is for the model {spec.model}, not for {info.id}")
    heads = [head for head, _ in spec.programs]
    for head in heads:
        if lacking := info.lacks(head):
            raise HybridError(f"{head} {lacking}")
        if heads.count(head) > 1:
            raise HybridError(f"{head} is replaced twice; name each head once")
    known = {source: program_of(source) for source in {source for _, source in spec.programs}}
    if any(isinstance(program, PlainProgram) for program in known.values()):
        require_sandbox(trusts_programs())
    programs = {head: known[source] for head, source in spec.programs}
    refuse_circles(programs)
    for head, program in sorted(programs.items()):
        for looked in sorted(program.looks):
            if lacking := info.lacks(looked):
                raise HybridError(f"the program for {head} looks at {looked}, which {lacking}")
    return programs
