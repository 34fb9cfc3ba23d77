"""What can be asked and done, without a user interface: one truth for command line, web page and alerts."""
