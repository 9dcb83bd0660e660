-- ARGV 4 and on: keys. Returns now, their meters, and every rest by its field.
reap()
local fields = {}
for index = 4, #ARGV do
  fields[#fields + 1] = 'k:' .. ARGV[index]
end
local meters = #fields > 0 and hmget(STATE, fields) or {}
for index = 1, #fields do
  meters[index] = meters[index] or ''
end
return { number(now), meters, redis.call('HGETALL', RESTS) }
