"""Every causal and masked model type of transformers, tiny and random: how far each goes.

    python -m tests.benchmarks.architectures [TYPE ...]

Whole way: extracted, and with its own attention put in the place of its heads it is the model. Attention
only: extracted, no hybrids. Refused: in words. Fault: anything else, of which there should be none. A type
that cannot be built small (a vision tower, a package that is not there) is not tried.
"""

from __future__ import annotations

import sys
import time
import warnings
from collections import Counter

import torch
import transformers

from core.errors import ModelError
from core.models.pretrained import require_supported
from tests import architectures


def tried(kind: str) -> tuple[str, str]:
    """How far a type goes, and what there is to say."""
    try:
        model = architectures.build(kind)
    except Exception as error:  # whatever stands in the way of a small one
        return "not built", f"{type(error).__name__}: {str(error).strip().splitlines()[0][:90]}"
    try:
        require_supported(kind, model.config)
        info = architectures.asked(model).info
    except ModelError as error:
        return "refused", str(error)
    except Exception as error:
        return "fault", f"{type(error).__name__}: {error}"
    only = info.traits.attention_only
    return ("attention only", only) if only else ("whole way", " ".join(info.traits.words))


def main() -> None:
    """Print the table."""
    warnings.filterwarnings("ignore")
    transformers.logging.set_verbosity_error()
    torch.set_num_threads(1)
    counts: Counter[str] = Counter()
    print("| type | how far | |\n| --- | --- | --- |")
    for kind in sys.argv[1:] or architectures.types():
        start = time.perf_counter()
        how_far, words = tried(kind)
        counts[how_far] += 1
        print(f"| {kind} | {how_far} | {words} |", flush=True)
        print(f"{kind}: {time.perf_counter() - start:.1f} s", file=sys.stderr)
    print("\n" + ", ".join(f"{count} {how_far}" for how_far, count in counts.most_common()))


if __name__ == "__main__":
    main()
