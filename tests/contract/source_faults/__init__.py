"""Bad input for every source that reads over HTTP: sources whose simulators can be spoiled, and ways to spoil them."""
