"""Who may ask a provider now, and who waits: slots, windows and turns."""
