"""The app on a stage, `?stage=1`: five scenes in large type, stepped with one key."""
