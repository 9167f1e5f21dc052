"""What the help says is all there is: every attribute, function, key and step, each spelling once."""

from collections import Counter

from core.display.glossary import GLOSSARY, meaning
from core.features import ATTRIBUTES
from core.language import FORMS, FUNCTIONS, parse
from core.ui.parts import help_panel
from core.ui.parts.frame import pages
from core.ui.parts.reference import language


def test_no_two_terms_are_marked_by_the_same_words() -> None:
    written = Counter(spelling.lower() for term in GLOSSARY for spelling in term.marked)
    assert [spelling for spelling, count in written.items() if count > 1] == []
    wanted = {"iou", "lift", "twin", "off-sink", "output error", "foresight", "kl", "lookahead", "resolved"}
    assert wanted | {"cost alone", "κ"} <= set(written)


def test_a_column_takes_its_help_from_the_glossary() -> None:
    assert meaning("Lift").startswith("IoU minus that of the head's best baseline")


def test_the_reference_names_every_attribute_and_function() -> None:
    written = [entry.written.split("(")[0] for group in language() for entry in group.entries]
    assert {*ATTRIBUTES, *FUNCTIONS, *FORMS} <= set(written)


def test_the_references_program_is_one() -> None:
    (program,) = language()[0].entries
    assert parse(program.example).docstring == "Rest on the first token; look back at the verb."


def test_a_functions_signature_says_what_may_repeat_and_what_it_searches() -> None:
    assert FUNCTIONS["last"].signature == "last(token, attribute=value, ...)"
    assert FUNCTIONS["min"].signature == "min(number, number, ...)"


def test_every_step_of_the_tour_is_on_a_page_that_there_is(monkeypatch) -> None:
    monkeypatch.setattr("streamlit.Page", lambda path, **_: path)
    there = {path.removeprefix("pages/").removesuffix(".py") for path in pages() if isinstance(path, str)}
    assert {step.page or "overview" for step in help_panel.TOUR} <= there
    assert len(help_panel.TOUR) == 5
