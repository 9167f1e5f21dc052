"""Where each reviewer is in the queue, kept between sessions."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from core.store.database import Database


class ReviewerTable:
    """Reviewers' views of a model's queue."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def view(self, model: str, reviewer: str) -> dict[str, Any] | None:
        """What was last saved for this reviewer."""
        rows = self._database.rows(
            "SELECT state FROM review_states WHERE model_id = ? AND reviewer = ?", [model, reviewer]
        )
        found: dict[str, Any] | None = json.loads(rows[0][0]) if rows else None
        return found

    def save(self, model: str, reviewer: str, view: Mapping[str, Any]) -> None:
        """Keep a view for the reviewer's next session."""
        self._database.run(
            "INSERT OR REPLACE INTO review_states VALUES (?, ?, ?)", [model, reviewer, json.dumps(view)]
        )
