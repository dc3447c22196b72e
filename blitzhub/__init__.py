"""The Reflex app: pages, HTTP API and the in-app market socket."""
