"""The stages: one module a stage, a plain function each. ``python -m actors fetch match …`` runs them."""
