"""Colours: cividis for attention, PuOr for differences; legible without telling red from green."""

CIVIDIS = (
    "#00204c", "#00306f", "#2a406c", "#48526b", "#5e626e", "#727374",
    "#878479", "#9e9677", "#b6a971", "#d0be67", "#ffea46",
)  # fmt: skip
# From the program weighing more (purple) to the head weighing more (orange).
PUOR = (
    "#2d004b", "#542788", "#8073ac", "#b2abd2", "#d8daeb", "#f7f7f7",
    "#fee0b6", "#fdb863", "#e08214", "#b35806", "#7f3b08",
)  # fmt: skip
VERDICTS = {"accepted": "#3d7fb8", "undecided": "#9aa3b2", "rejected": "#c0702a"}
