"""What the API answers, type by type; a number that is not known is null."""

from __future__ import annotations

from pydantic import BaseModel, Field


class Problem(BaseModel):
    """Why there is no answer."""

    detail: str


class State(BaseModel):
    """That the API answers, and how many models it knows."""

    version: str
    models: int


class Model(BaseModel):
    """A model of the workspace."""

    model_id: str = Field(description="what paths below call it; its title serves as well")
    title: str
    name: str = Field(description="a hub id, a path, or `demo`")
    architecture: str
    layers: int
    heads: int = Field(description="query heads of a layer")
    is_causal: bool
    parameters: int


class HeadSummary(BaseModel):
    """A head's best program, chosen on validation, scored on the split asked for."""

    layer: int
    head: int
    program_id: str
    summary: str
    category: str
    lookahead: bool = Field(description="whether the program reads text to the right of a token")
    iou: float = Field(description="given the heads that it looks at")
    low: float | None
    high: float | None
    lift: float = Field(description="IoU beyond the head's best baseline")
    resolved: float | None = Field(description="IoU with those heads' own programs")
    looks: int = Field(description="heads that it looks at")


class ProgramScores(BaseModel):
    """A program on one head: mean IoU on each split, where it was scored there."""

    program_id: str
    source: str
    summary: str
    origin: str
    train: float | None
    validation: float | None
    test: float | None


class Figure(BaseModel):
    """A figure that an audit found."""

    layer: int
    head: int
    program_id: str
    audit: str
    verdict: str
    figure: str
    value: float | None
    low: float | None
    high: float | None
    unit: str


class Head(BaseModel):
    """A head, every program that was scored on it (the best on validation first), and audits of the best."""

    layer: int
    head: int
    best: str | None = Field(description="the best program's id")
    programs: list[ProgramScores]
    audits: list[Figure]


class Program(BaseModel):
    """A program of the library."""

    program_id: str
    source: str
    category: str
    summary: str
    lookahead: bool
    nodes: int
    origin: str = Field(description="baseline, search, claude, person, ...")
    parent: str | None = Field(description="the program that it was edited from")
    heads: int = Field(description="heads that it fits on validation")
    best: float | None = Field(description="its highest IoU on validation")


class Score(BaseModel):
    """A program's score on a head."""

    layer: int
    head: int
    program_id: str
    split: str
    iou: float
    low: float | None
    high: float | None
    js_distance: float | None
    sentences: int
    failures: int


class Standing(BaseModel):
    """Where an audited program stands on the ladder."""

    layer: int
    head: int
    program_id: str
    rung: str
    why: str
    fails: str
    iou: float | None
    twin_iou: float | None
    off_sink: float | None
    output_error: float | None
    foresight: float | None
    promise: float | None
    given: str


class Verdict(BaseModel):
    """A reviewer's word on a program of a head that stands."""

    layer: int
    head: int
    program_id: str
    action: str
    reviewer: str
    reason: str
    note: str
    made_at: str


class Sentence(BaseModel):
    """A passage of the model's corpus."""

    sentence_id: str
    text: str
    genre: str
    split: str


class Tokens(BaseModel):
    """A passage's tokens, as the model reads them."""

    sentence_id: str
    tokens: list[str]
