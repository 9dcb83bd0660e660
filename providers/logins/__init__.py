"""How a provider whose key is no plain text is logged in to: Google, AWS, and tokens that are fetched anew."""
