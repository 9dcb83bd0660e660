"""web_search and web_fetch: the only HTTP that Keyturn does on a client's behalf, and what keeps it out of networks."""
