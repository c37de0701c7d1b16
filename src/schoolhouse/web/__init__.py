"""The HTTP app: pages and API."""
