"""The soak: many workspaces under load, with processes killed; at the end every post is accounted for."""
