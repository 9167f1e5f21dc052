"""The words of pages, sites and figures, each in a sentence or two."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Term:
    """A word as it is meant here."""

    name: str
    meaning: str
    marked: tuple[str, ...] = ()  # how it is written where pages of the app mark it

    @property
    def anchor(self) -> str:
        """What a link to it names."""
        return "".join(sign if sign.isalnum() else "-" for sign in self.name.lower())


GLOSSARY = (
    Term(
        "Attention head",
        "The part of a layer that decides, for each token, how much it takes from which earlier tokens. "
        "L7H3 is head 3 of layer 7; both are counted from 0.",
    ),
    Term("Query", "The token that looks: a row of a map."),
    Term("Key", "A token that is looked at: a column of a map."),
    Term(
        "Attention map",
        "All weights of a head on a passage: row by row what each query gives each key. A row sums to 1. "
        "In a causal model a query sees only keys at or before it, so the upper right of a map is empty.",
    ),
    Term(
        "Program",
        "A short function attend(q, k) that gives every pair of a query and a key a weight. Negative weights "
        "count as 0, and each query's weights are divided by their sum.",
    ),
    Term(
        "Look",
        'look("L0H1", q, k) is what another head gives the pair. Figures of a program that looks are '
        "given those heads; resolved figures put those heads' own programs in their place.",
    ),
    Term(
        "IoU",
        "How alike two maps are: the sum of the smaller weights over the sum of the larger, 1 for equal "
        "maps, averaged over passages.",
        ("IoU",),
    ),
    Term(
        "Resolved IoU",
        "IoU where each head that a program looks at gives way to that head's resolved program.",
        ("resolved IoU", "resolved"),
    ),
    Term(
        "Resolved program",
        "The program that stands for a head where no attention of the model is left: the one that does best "
        "on validation with the resolved programs of the heads that it looks at.",
        ("resolved program", "resolved programs"),
    ),
    Term(
        "Baseline",
        "A program that explains nothing: the first token, the previous token, all alike, the same token, "
        "a random token.",
        ("baseline", "baselines"),
    ),
    Term(
        "Lift",
        "IoU minus that of the head's best baseline. A high IoU without lift explains nothing.",
        ("lift",),
    ),
    Term(
        "Text-blind twin",
        "The head's mean attention by position. It knows nothing of the text: what a program has beyond "
        "its twin, it has because of the text.",
        ("text-blind twin", "twin", "twins"),
    ),
    Term(
        "Off-sink IoU",
        "IoU without resting places, such as the first token, that take most of the weight of many heads.",
        ("off-sink IoU", "off-sink", "off the sink", "resting places", "resting place"),
    ),
    Term(
        "Output error",
        "How far what would be written with the program's weights lies from what the head writes, relative "
        "to that: 0 is the same, 1 as far off as writing nothing.",
        ("output error", "what is written"),
    ),
    Term(
        "Foresight",
        "A token is swapped; how well the program tells how the head's attention changes. 1: every "
        "change foreseen; 0: no better than to say that nothing changes.",
        ("foresight", "foresees", "foresee"),
    ),
    Term(
        "Rung",
        "How far a program climbed the ladder of audits: untestable, position only, fits but does not "
        "foresee, explains.",
        ("rung", "rungs"),
    ),
    Term(
        "Split",
        "Passages are divided by a hash of their text: train is what programs are fitted on, validation "
        "what chooses among them, test what is only reported.",
    ),
    Term(
        "Cost alone",
        "What replacing this head alone by the program does to the model's predictions: their KL from the "
        "unmodified model's, in nats per token.",
        ("cost alone",),
    ),
    Term(
        "JS distance",
        "How far apart two maps lie: the root of the Jensen-Shannon divergence (base 2) of their rows. "
        "0 is the same, 1 nothing in common.",
        ("JS distance",),
    ),
    Term(
        "Nodes",
        "How large a program is: the nodes of its syntax tree, one for each name, number and operation.",
        ("nodes",),
    ),
    Term("Interval", "Brackets hold a 95 % bootstrap interval over passages."),
    Term("Hybrid", "The model with some heads replaced by their programs; no weight of it is changed."),
    Term(
        "Perplexity increase",
        "How much worse the hybrid foretells the next token than the unmodified model, on the same tokens.",
        ("perplexity",),
    ),
    Term(
        "KL",
        "Nats per token by which the hybrid's predictions differ from the unmodified model's.",
        ("KL",),
    ),
    Term(
        "Control",
        "Something else in the place of the same heads, such as the first token or programs of other "
        "heads. Where programs do not cost clearly less than a control, they explain nothing.",
        ("controls",),
    ),
    Term(
        "Verdict",
        "What reviewers decided of a program: accepted, rejected, or disputed where they differ.",
        ("disputed",),
    ),
    Term(
        "Lookahead",
        "A program that reads text to the right of the query; a model that writes left to right cannot.",
        ("lookahead",),
    ),
    Term(
        "κ",
        "Cohen's kappa: how far two reviewers agree beyond what chance would bring. 1: always; 0: no more "
        "than by chance.",
        ("κ",),
    ),
)


def meaning(name: str) -> str:
    """What the term of this name means, for the head of a column; raises KeyError if there is none."""
    return _MEANINGS[name]


_MEANINGS = {term.name: term.meaning for term in GLOSSARY}
