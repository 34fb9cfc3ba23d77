"""The database: all SQL, a module for each noun, the same on SQLite and PostgreSQL."""
