-- Every rest of a key ends (ARGV: 4 key, 5 account), or with an empty key, every one that keys share.
local key, account = ARGV[4], ARGV[5]
local function shared(field)
  return string.sub(field, 1, 2) ~= 'k:'
end
local function own(field)
  return string.sub(field, 1, #key + 3) == 'k:' .. key .. ':' or field == 'a:' .. account
end
local ends = key == '' and shared or own
for _, field in ipairs(redis.call('HKEYS', RESTS)) do
  if ends(field) then
    redis.call('HDEL', RESTS, field)
  end
end
if key == '' then
  redis.call('HDEL', STATE, 'blamed')
else
  local text = redis.call('HGET', STATE, 'k:' .. key)
  if text then
    local meter = meter_of(text)
    meter.used = 0
    redis.call('HSET', STATE, 'k:' .. key, meter_text(meter))
  end
  local blamed = set_of(redis.call('HGET', STATE, 'blamed') or '')
  if blamed[key] then
    blamed[key] = nil
    redis.call('HSET', STATE, 'blamed', set_text(blamed))
  end
end
return 1
