-- The client tokens that were made. KEYS 1: by digest, and their version. ARGV: 1 the version that is known, 2 for how
-- many seconds they are kept or "", 3 the least version of a change; then digests and texts in turn, to be written.
-- Returns the version, and all where it is not the known one. A change is made on the known version only.
local version = tonumber(redis.call('HGET', KEYS[1], 'version') or 0)
local known = tonumber(ARGV[1])
if #ARGV > 3 and version == known then
  local time = redis.call('TIME')
  -- Beyond that of any server that was here before this one.
  local moment = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
  local new = string.format('%d', math.max(version + 1, moment, tonumber(ARGV[3]) + 1))
  for index = 4, #ARGV, 2 do
    if ARGV[index + 1] == '' then
      redis.call('HDEL', KEYS[1], ARGV[index])
    else
      redis.call('HSET', KEYS[1], ARGV[index], ARGV[index + 1])
    end
  end
  redis.call('HSET', KEYS[1], 'version', new)
  redis.call('EXPIRE', KEYS[1], tonumber(ARGV[2]))
  return { new }
end
if ARGV[2] ~= '' then
  redis.call('EXPIRE', KEYS[1], tonumber(ARGV[2]))
end
if version == known then
  return { string.format('%d', version) }
end
return { string.format('%d', version), redis.call('HGETALL', KEYS[1]) }
