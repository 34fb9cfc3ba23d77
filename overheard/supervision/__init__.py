"""The watcher: a program under supervisord that tells Prometheus, and whoever asks, how the others are."""
