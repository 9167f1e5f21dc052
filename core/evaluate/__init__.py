"""What a hybrid costs, and which heads to replace."""

from core.evaluate.perplexity import evaluate_hybrid

__all__ = ["evaluate_hybrid"]
