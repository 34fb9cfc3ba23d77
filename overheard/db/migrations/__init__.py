"""Migrations, applied in the order of their numbers. Each is frozen once it is released."""
