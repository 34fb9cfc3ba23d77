"""A whole server, from nothing: `make machine` installs Overheard on a fresh Debian under its own systemd."""
