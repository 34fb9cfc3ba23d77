"""The dashboards as code. ``make generate`` writes them to ``dashboards/``; ``provisioning/`` tells Grafana of them."""
