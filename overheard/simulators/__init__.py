"""Simulators of the sources and services that Overheard talks to, over real HTTP. They import nothing else of it."""
