"""Programs written by a language model: what it is shown, asked, and may cost."""
