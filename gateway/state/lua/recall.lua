-- The story of a request: KEYS as for those that are kept, ARGV 1 its id.
return redis.call('HGET', KEYS[2], ARGV[1])
