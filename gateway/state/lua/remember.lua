-- Keeps stories of requests, the newest. KEYS: their ids by time, and their texts. ARGV: 1 how many, 2 for how many
-- seconds, then ids and texts in turn.
local most, seconds = tonumber(ARGV[1]), tonumber(ARGV[2])
local time = redis.call('TIME')
local now = tonumber(time[1]) + tonumber(time[2]) / 1000000
for index = 3, #ARGV, 2 do
  -- Those that come together keep their order.
  redis.call('ZADD', KEYS[1], string.format('%.17g', now + index / 1000000), ARGV[index])
  redis.call('HSET', KEYS[2], ARGV[index], ARGV[index + 1])
end
local over = redis.call('ZCARD', KEYS[1]) - most
if over > 0 then
  for _, id in ipairs(redis.call('ZRANGE', KEYS[1], 0, over - 1)) do
    redis.call('HDEL', KEYS[2], id)
  end
  redis.call('ZREMRANGEBYRANK', KEYS[1], 0, over - 1)
end
redis.call('EXPIRE', KEYS[1], seconds)
redis.call('EXPIRE', KEYS[2], seconds)
return 1
