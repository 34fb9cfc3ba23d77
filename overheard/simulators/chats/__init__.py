"""Simulators of chat services: each takes messages as strictly as its service does, and keeps them to be looked at."""
