-- A process gives a sign of life for its leases: ARGV 4 and on, in pairs, a lease and what its process knows of it.
-- One that is not known here (the server was started anew, or was away when it was given) counts from now on.
local function adopt(lease, held)
  redis.call('HSET', HELD, lease, held_text(held))
  for index, field in ipairs(fields_of(held)) do
    local meter = meter_of(redis.call('HGET', STATE, field))
    meter.open = meter.open + 1
    if index == 1 and meter.period == held.period then
      meter.used = meter.used + 1
    end
    redis.call('HSET', STATE, field, meter_text(meter))
  end
  redis.call('EXPIRE', STATE, KEPT)
end

-- What counts as open is what has a lease; a server that dropped one of its keys for room is put right here.
local function recount()
  local open = {}
  for _, text in ipairs(redis.call('HVALS', HELD)) do
    for _, field in ipairs(fields_of(held_of(text))) do
      open[field] = (open[field] or 0) + 1
    end
  end
  local all = redis.call('HGETALL', STATE)
  for index = 1, #all, 2 do
    local field = all[index]
    if field == 'p' or string.match(field, '^[km]:') then
      local meter = meter_of(all[index + 1])
      if meter.open ~= (open[field] or 0) then
        meter.open = open[field] or 0
        redis.call('HSET', STATE, field, meter_text(meter))
      end
    end
  end
end

reap()
local ends = number(now + LIFE)
for index = 4, #ARGV, 2 do
  local lease = ARGV[index]
  if redis.call('HEXISTS', HELD, lease) == 0 then
    adopt(lease, held_of(ARGV[index + 1]))
  end
  redis.call('ZADD', LEASES, ends, lease)
end
recount()
keep_leases()
return number(now)
