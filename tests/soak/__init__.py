"""The soak: many workspaces under load, with processes killed, and the books checked at the end."""
