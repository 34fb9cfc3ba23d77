"""Private servers, and simulators of other services, that tests start."""
