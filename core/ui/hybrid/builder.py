"""The upper half of the Hybrid page: which programs, which heads first, how many, and what that will cost."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

import streamlit as st

from core.display import counted
from core.jobs.shares import curve_size
from core.review import heads_in_share
from core.scoring import program_of
from core.types import HeadId, HeadOrder, HybridRequest, ModelInfo, ProgramChoice, Split
from core.ui.hybrid.pace import curve_in_words
from core.ui.parts import jobs, state
from core.ui.review.shelf import current_opinions

_WHICH: dict[str, ProgramChoice] = {
    "Accepted programs": "accepted",
    "Best programs, reviewed or not": "best",
    "Best programs, resolved": "resolved",
    "Best programs of text alone": "text",
}
_SHARE, _BUDGET = "A share of heads", "A budget"
_ORDERS: dict[HeadOrder, str] = {
    "cost": "cheapest first (estimated from gradients)",
    "greedy": "cheapest first, estimated anew after every tenth",
    "measured": "cheapest first (each head measured alone; slow)",
    "iou": "best fit on validation first",
    "random": "at random",
}
_CURVE_PASSAGES = (10, 20, 40, 80)


@dataclass(frozen=True)
class Candidates:
    """Heads that may be replaced, and what is known of them."""

    which: ProgramChoice
    sources: dict[HeadId, str]
    fits: dict[HeadId, float]  # IoU on validation
    costs: dict[HeadId, float]  # nats per token of KL, where they were estimated; see `estimated_kl`
    agreement: tuple[int, float] | None  # passages of the estimate; rank correlation of their halves


def draw_builder(model: ModelInfo) -> Candidates:
    """Everything up to the button that starts a job; the heads that may be replaced."""
    accepted = state.owner().workspace.verdicts.accepted(model.id)
    with st.container(border=True, key="hybrid-builder"):
        left, right = st.columns([1, 1.6], gap="large")
        with left:
            which = _WHICH[
                st.radio(
                    "Replace heads by",
                    list(_WHICH),
                    captions=[
                        _accepted_in_words(model, accepted),
                        "every head that has a program",
                        "every head; those that do best where most heads are replaced",
                        "every head; none of them looks at another head",
                    ],
                    index=0 if accepted else 1,
                    key="which",
                )
            ]
            candidates = _filtered(model, _candidates(model, which))
        with right:
            if not candidates.sources:
                _say_empty(model, which)
                return candidates
            request = _request(model, candidates)
            _draw_expected(model, candidates, request)
            jobs.draw_where()
            if st.button("Build and measure", type="primary", icon=":material/speed:", key="measure"):
                _start(model, candidates, request)
    return candidates


def _accepted_in_words(model: ModelInfo, accepted: Mapping[HeadId, str]) -> str:
    """How many heads, and of how many the program was rejected by somebody else."""
    disputed = current_opinions(model).disputed
    decided = state.owner().workspace.verdicts.decided(model.id)
    count = sum((head, decided[head].program) in disputed for head in accepted if head in decided)
    return counted(len(accepted), "head") + (f", {count} of them disputed" if count else "")


def _say_empty(model: ModelInfo, which: ProgramChoice) -> None:
    if which == "resolved" and state.owner().workspace.library.unresolved(model.id):
        st.info(
            "Best programs changed; which do best with one another is found out anew first. That takes about "
            "a minute for every 200 heads.",
            icon=":material/info:",
        )
        if st.button("Resolve programs", icon=":material/account_tree:", key="resolve"):
            jobs.start(lambda: state.owner().runner.start_resolving(model))
    elif which == "accepted":
        st.info("No program is accepted yet, or none passes the filter.", icon=":material/info:")
        st.page_link("pages/review.py", label="Review programs", icon=":material/rule:")
    else:
        st.info("No program passes the filter.", icon=":material/filter_alt:")


def _candidates(model: ModelInfo, which: ProgramChoice) -> Candidates:
    workspace = state.owner().workspace
    is_known = which != "resolved" or not workspace.library.unresolved(model.id)
    sources = workspace.replacements.sources(model.id, which) if is_known else {}
    fits = workspace.replacements.fits(model.id, sources)
    known = workspace.hybrids.costs(model.id)
    ids = {source: program_of(source).id for source in set(sources.values())}
    agreement = workspace.hybrids.agreement(model.id, {head: ids[source] for head, source in sources.items()})
    costs = {
        head: known[head, ids[source]] for head, source in sources.items() if (head, ids[source]) in known
    }
    return Candidates(which, sources, fits, costs, agreement)


def _filtered(model: ModelInfo, candidates: Candidates) -> Candidates:
    with st.popover("Filter", icon=":material/filter_alt:"):
        least = st.slider("Validation IoU at least", 0.0, 1.0, 0.0, 0.05, key="least-iou")
        first, last = st.slider(
            "Layers", 0, max(1, model.layers - 1), (0, max(1, model.layers - 1)), key="layers"
        )
    kept = {
        head: source
        for head, source in candidates.sources.items()
        if candidates.fits.get(head, 0.0) >= least and first <= head.layer <= last
    }
    if len(kept) < len(candidates.sources):
        st.caption(f"{len(kept)} of {len(candidates.sources)} heads pass the filter")
    costs = {head: cost for head, cost in candidates.costs.items() if head in kept}
    return replace(candidates, sources=kept, costs=costs)


def _request(model: ModelInfo, candidates: Candidates) -> HybridRequest:
    total = model.head_count
    how = st.segmented_control("How many heads", [_SHARE, _BUDGET], default=_SHARE, key="how") or _SHARE
    count, budget = None, None
    if how == _SHARE:
        most = max(1, round(100 * len(candidates.sources) / total))
        share = st.slider(
            "Share of all heads",
            0,
            most,
            min(25, most),
            format="%d%%",
            key="share",
            label_visibility="collapsed",
        )
        count = min(max(1, heads_in_share(share / 100, total)), len(candidates.sources))
        title = counted(count, "head")
    else:
        percent = st.number_input(
            "Perplexity may rise on validation by at most (%)", 0.1, 1000.0, 5.0, 0.5, key="budget"
        )
        budget = percent / 100
        title = f"within +{percent:g} %"
    order = st.selectbox("Which go first", list(_ORDERS), format_func=_ORDERS.__getitem__, key="order")
    one, two = st.columns([1, 1.5])
    calibrate = one.toggle(
        "Calibrate",
        key="calibrate",
        help="Fit the constants of all chosen programs together through the frozen model, on train passages; "
        "validation decides when to stop. Minutes on a CPU.",
    )
    strict = model.is_causal and two.toggle(
        "Also without lookahead",
        key="strict",
        help="Measure 20 passages a second time with programs that see no further than the query.",
    )
    steps = HybridRequest.steps
    if calibrate:
        steps = one.number_input(
            "Steps",
            1,
            1000,
            steps,
            20,
            key="steps",
            help="Each on four train passages more. Four times the steps take four times as long and lower "
            "what many heads cost further.",
        )
    words = [title, candidates.which, f"by {order}", *(["calibrated"] * calibrate)]
    if steps != HybridRequest.steps:
        words[-1] += f" in {steps} steps"
    return HybridRequest(", ".join(words), order, count, budget, calibrate, strict, steps=steps)


def _draw_expected(model: ModelInfo, candidates: Candidates, request: HybridRequest) -> None:
    """What the heads chosen are expected to cost, where that is known."""
    if request.order == "cost" and candidates.agreement is not None:
        passages, correlation = candidates.agreement
        st.caption(
            f"Costs are estimated on {passages} validation passages; two halves of them order the heads "
            f"alike with rank correlation {correlation:.2f}."
        )
    unknown = len(candidates.sources) - len(candidates.costs)
    if not candidates.costs:
        st.caption("What each head costs is not known yet; the first hybrid in order of cost estimates it.")
    elif unknown:
        st.caption(
            f"What {counted(unknown, 'head')} of {len(candidates.sources)} would cost is not known yet; "
            "a hybrid in order of cost estimates it first."
        )
    elif request.count is not None and request.order == "cost":
        chosen = sorted(candidates.costs.values())[: request.count]
        known = [cost for cost in chosen if math.isfinite(cost)]
        failing = len(chosen) - len(known)
        st.caption(
            f"Expected: {_expected(model, sum(known))} per token if costs add up; "
            "replaced together, heads cost more."
            + (f" Programs among them that fail on most passages: {failing}." if failing else "")
        )


def _expected(model: ModelInfo, cost: float) -> str:
    return f"KL {cost:.3f} nats" if model.is_causal else f"a KL or distance of {cost:.3f}"


def _start(model: ModelInfo, candidates: Candidates, request: HybridRequest) -> None:
    owner = state.owner()
    passages = owner.workspace.models.sentences(model.id, Split.TEST)
    jobs.start(
        lambda: owner.runner.start_hybrid(model, candidates.sources, passages, str(Split.TEST), request)
    )


def draw_curve_button(model: ModelInfo, candidates: Candidates) -> None:
    """How many passages, and the button that measures the curve of these heads."""
    if not candidates.sources:
        return
    owner = state.owner()
    test = len(owner.workspace.models.sentences(model.id, Split.TEST))
    with st.container(horizontal=True, vertical_alignment="bottom"):
        count = st.selectbox("Passages", _CURVE_PASSAGES, index=1, key="curve-passages", width=110)
        size = curve_size(model.head_count, len(candidates.sources))
        told = curve_in_words(model, size, min(count, test))
        if st.button("Measure the curve", icon=":material/show_chart:", key="measure-curve"):
            passages = owner.workspace.models.sentences(model.id, Split.TEST)[:count]
            title = f"{candidates.which} programs"
            jobs.start(
                lambda: owner.runner.start_curve(model, candidates.sources, passages, str(Split.TEST), title)
            )
        st.caption(told, width="content")
