"""The channels that Apprise serves: its services, made safe to be named by strangers."""
