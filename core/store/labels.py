"""Names, notes and tags that people give to runs and hybrids, and which of these they deleted."""

from __future__ import annotations

from dataclasses import dataclass

from core.store.database import Database


@dataclass(frozen=True)
class Label:
    """What a person wrote of a run or a hybrid."""

    name: str = ""  # empty: what it is called by itself
    note: str = ""
    tags: tuple[str, ...] = ()


class LabelTable:
    """Labels by the id of a job or a hybrid. What is deleted is off the tables and can be restored whole."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def all(self) -> dict[str, Label]:
        """Every label that was given."""
        rows = self._database.rows("SELECT subject, name, note, tags FROM labels")
        return {subject: Label(name, note, tuple(tags)) for subject, name, note, tags in rows}

    def of(self, subject: str) -> Label:
        """The label of one; empty if it has none."""
        return self.all().get(subject, Label())

    def set(self, subject: str, label: Label) -> None:
        """Give a label in the place of the one before."""
        self._database.run(
            "INSERT INTO labels (subject, name, note, tags) VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE "
            "SET name = excluded.name, note = excluded.note, tags = excluded.tags",
            [subject, label.name, label.note, list(label.tags)],
        )

    def delete(self, subject: str) -> None:
        """Take a run or a hybrid off the tables; nothing of it is lost."""
        self._database.run(
            "INSERT INTO labels VALUES (?, '', '', [], make_timestamp(epoch_us(now()))) "
            "ON CONFLICT DO UPDATE SET deleted_at = excluded.deleted_at",
            [subject],
        )

    def restore(self, subject: str) -> None:
        """Put back what was deleted."""
        self._database.run("UPDATE labels SET deleted_at = NULL WHERE subject = ?", [subject])

    def deleted(self) -> list[str]:
        """What is deleted, the latest first."""
        rows = self._database.rows(
            "SELECT subject FROM labels WHERE deleted_at IS NOT NULL ORDER BY deleted_at DESC, subject"
        )
        return [subject for (subject,) in rows]


def read_tags(text: str) -> tuple[str, ...]:
    """Tags as a person types them, between commas; each once."""
    return tuple(dict.fromkeys(tag for tag in (" ".join(one.split()) for one in text.split(",")) if tag))
