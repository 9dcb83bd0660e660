"""The StateStore port of the providers, fulfilled: in this process's memory."""
