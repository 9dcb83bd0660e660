"""``keyturn doctor``: every configured key asked for every model it may serve, for real."""
