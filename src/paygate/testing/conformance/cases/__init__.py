"""The cases of the kit, one module per subject."""
