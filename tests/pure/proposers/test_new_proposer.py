"""The worked example of docs/extending.md: a proposer of one's own, as one entry."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pytest

from core.doors import Door
from core.errors import PluginError, ProposerError
from core.jobs.kinds import kind_of_proposer
from core.language import ParsedProgram, parse
from core.models.device import Halving
from core.proposers import PROPOSERS, LayerByLayer, Material, Proposer, check_limits, limit
from core.scoring import program_maps, sentence_ious
from core.types import Bounds
from tests import planted

Maps = Mapping[str, np.ndarray]


@dataclass(frozen=True)
class DistanceLimits:
    """How far back to look."""

    farthest: int = limit(4, "Farthest", "tokens back, at most", Bounds(1, 20), told="≤ {} back")


@dataclass(frozen=True)
class Distances:
    """Programs that look a fixed number of tokens back."""

    material: Material
    programs: Sequence[ParsedProgram]

    def describe(self) -> str:
        return f"choosing from {len(self.programs)} distances"

    def over_layers(self, heads: Mapping[int, Sequence[int]]) -> Iterator[tuple[int, list[ParsedProgram]]]:
        train = self.material.train
        produced = program_maps(self.programs, train, self.material.is_causal, self.material.device)
        for layer, wanted in heads.items():
            best = sentence_ious(produced, self.material.read(layer)).mean(-1).argmax(0)
            yield layer, [self.programs[best[head]] for head in wanted]


def prepare(material: Material, limits: DistanceLimits) -> Distances:
    sources = [
        f"def attend(q, k):\n    return q.index - k.index == {n}\n" for n in range(limits.farthest + 1)
    ]
    return Distances(material, [parse(source) for source in sources])


DISTANCE = Proposer(
    name="distance",
    title="Distance",
    job="Look back",
    about="Tries every distance up to a few tokens back.",
    limits=DistanceLimits,
    way=LayerByLayer(prepare),
)


def test_a_proposer_of_ones_own_is_one_entry() -> None:
    table: Door[Proposer] = Door("proposer", *PROPOSERS.values())
    assert table.add(DISTANCE) is table.named("distance")
    kind = kind_of_proposer(DISTANCE)
    assert (kind.name, kind.title, kind.needs_device) == ("distance", "Look back", True)
    with pytest.raises(PluginError, match="already"):
        table.add(DISTANCE)


def test_it_proposes_for_every_head_of_a_layer() -> None:
    data = planted.head()
    two_back = {
        sentence: np.stack([np.eye(len(m[0]), k=-2, dtype="f4")] * 2) for sentence, m in data.maps.items()
    }
    material = Material(data.train, data.validation, data.is_causal, "cpu", Halving(), lambda layer: two_back)
    ((layer, programs),) = prepare(material, DistanceLimits(2)).over_layers({5: [0, 1]})
    assert layer == 5
    assert ["== 2" in program.source for program in programs] == [True, True]


def test_its_limits_hold() -> None:
    with pytest.raises(ProposerError, match="farthest: 21 is not between 1 and 20"):
        check_limits(DistanceLimits(21))
