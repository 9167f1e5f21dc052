"""A model with programs in the place of heads, for as long as a block lasts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor

from core.features import Features, annotate
from core.hybrid import Hybrid
from core.hybrid.generate import generate
from core.hybrid.perplexity import evaluate_hybrid
from core.models import LoadedModel
from core.types import Evaluation, HeadId, HybridSpec, Sentence, Split


@dataclass(frozen=True)
class OpenHybrid:
    """A hybrid whose heads are replaced; valid inside the block that made it."""

    spec: HybridSpec
    loaded: LoadedModel
    patched: Hybrid

    @property
    def heads(self) -> list[HeadId]:
        """The heads that are replaced."""
        return [head for head, _ in self.spec.programs]

    def logits(self, texts: Sequence[str], replaced: bool = True) -> list[Tensor]:
        """Logits [token, vocabulary] of each text; of the unmodified model where not `replaced`."""
        features = self.features(texts)
        return [self.patched.logits(features, [row], replaced)[0] for row in range(len(features))]

    def evaluate(self, texts: Sequence[str]) -> Evaluation:
        """What it costs on these texts: perplexity and KL, or what `measure` says is compared instead."""
        return evaluate_hybrid(self.loaded, self.spec, self.features(texts))

    def generate(self, prompt: str, tokens: int = 40, temperature: float = 0.0, seed: int = 0) -> str:
        """The continuation of a prompt; temperature 0 takes the likeliest token."""
        return "".join(generate(self.loaded, self.spec, prompt, tokens, temperature, seed))

    def features(self, texts: Sequence[str]) -> Features:
        """The tokens of texts with all that programs can read of them; a text of no token is left out."""
        sentences = [Sentence(str(at), text, "", Split.TEST) for at, text in enumerate(texts)]
        loaded = self.loaded
        return annotate(
            sentences, loaded.tokenizer, loaded.embeddings(), loaded.info.max_length, loaded.pipeline
        )
