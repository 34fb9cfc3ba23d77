"""Pictures of messages for docs/messages.md, from what the senders really sent: ``make messages``."""
