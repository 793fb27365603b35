"""Pointing at things: `picture` answers about pictures of clients, `live` asks the service."""
