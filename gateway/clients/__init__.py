"""Clients with a token of their own: what is known of them, what they may use, and how much of it."""
