"""A folder goes into a zip file and comes out as it was; what is no such file is refused."""

import io
import zipfile
from pathlib import Path

import pytest

from core.errors import HybridError
from core.sharing.archive import unzipped, zipped


def archive(**files: bytes) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as made:
        for name, content in files.items():
            made.writestr(name, content)
    return packed.getvalue()


def damaged() -> bytes:
    """An archive whose list is whole and whose packed content is not."""
    content = bytearray(archive(a=bytes(range(256)) * 9))
    content[31:60] = b"\xff" * 29
    return bytes(content)


def test_a_folder_comes_back_as_it_was(tmp_path: Path) -> None:
    folder = tmp_path / "hybrid"
    (folder / "programs").mkdir(parents=True)
    (folder / "hybrid.json").write_text("{}")
    for head in range(300):  # of a hybrid of many heads
        (folder / "programs" / f"L0H{head}.py").write_text("é")
    with unzipped(zipped(folder)) as found:
        assert (found / "hybrid.json").read_text() == "{}"
        assert [one.read_text() for one in (found / "programs").iterdir()] == ["é"] * 300
    assert not found.exists()


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"no archive", "cannot be read"),
        (archive(a=b"x")[:-9], "cannot be read"),
        (damaged(), "cannot be read"),
        (archive(**{"../out": b"x"}), "outside of itself"),
        (archive(**{"/etc/out": b"x"}), "outside of itself"),
        (archive(**{"a\\..\\..\\out": b"x"}), "outside of itself"),
        (archive(bomb=bytes(2**26 + 1)), "at most 20,000 of"),
    ],
    # Named, since an archive holds the time and every test process would name it otherwise.
    ids=["text", "cut off", "damaged", "up", "absolute", "backslashes", "bomb"],
)
def test_what_is_no_archive_of_a_hybrid_is_refused(content: bytes, reason: str) -> None:
    with pytest.raises(HybridError, match=reason), unzipped(content):
        pass


def test_more_files_than_any_hybrid_has_are_refused() -> None:
    content = archive(**{str(n): b"" for n in range(20_001)})
    with pytest.raises(HybridError, match="20,001 files"), unzipped(content):
        pass
