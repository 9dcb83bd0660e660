-- What processes found out about a provider's models. KEYS 1: by "kind model". ARGV: 1 for how many seconds it is kept,
-- then fields and texts in turn, to be written. Returns all.
local MOST = 1024 -- fields
if #ARGV > 1 then
  if redis.call('HLEN', KEYS[1]) > MOST then
    redis.call('DEL', KEYS[1])
  end
  redis.call('HSET', KEYS[1], unpack(ARGV, 2))
end
redis.call('EXPIRE', KEYS[1], tonumber(ARGV[1]))
return redis.call('HGETALL', KEYS[1])
