"""All SQL: one module for each noun, the same on SQLite and PostgreSQL."""
