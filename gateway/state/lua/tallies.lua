-- What clients used, of all processes. KEYS 1: the sums, and since when.
return redis.call('HGETALL', KEYS[1])
