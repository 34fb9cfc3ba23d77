"""Private servers, and simulated external services, that tests start."""
