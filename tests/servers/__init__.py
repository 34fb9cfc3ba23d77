"""Private servers, and stand-ins for the services of others, that tests start."""
