"""The dashboards as code. ``make generate`` writes them to ``dashboards/``; ``provisioning/`` loads them in Grafana."""
