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

-- A server that is full may drop any one of a provider's keys: each lease has an end all the same, and what counts as
-- open is what has a lease.
local function recount()
  if redis.call('HLEN', HELD) ~= redis.call('ZCARD', LEASES) then
    for _, lease in ipairs(redis.call('HKEYS', HELD)) do
      redis.call('ZADD', LEASES, 'NX', number(now + LIFE), lease)
    end
  end
  local meters, sum = {}, 0
  local all = redis.call('HGETALL', STATE)
  for index = 1, #all, 2 do
    local field = all[index]
    if field == 'p' or string.match(field, '^[km]:') then
      meters[field] = meter_of(all[index + 1])
      sum = sum + (string.sub(field, 1, 2) == 'k:' and meters[field].open or 0)
    end
  end
  if sum == redis.call('HLEN', HELD) then
    return
  end
  for _, meter in pairs(meters) do
    meter.open = 0
  end
  for _, text in ipairs(redis.call('HVALS', HELD)) do
    for _, field in ipairs(fields_of(held_of(text))) do
      meters[field] = meters[field] or meter_of(false)
      meters[field].open = meters[field].open + 1
    end
  end
  for field, meter in pairs(meters) do
    redis.call('HSET', STATE, field, meter_text(meter))
  end
  redis.call('EXPIRE', STATE, KEPT)
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
