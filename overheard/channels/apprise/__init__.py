"""Send through Apprise: its services, made safe for URLs that strangers write."""
