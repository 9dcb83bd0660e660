-- What every verb needs. Times are seconds since 1970 on this server's clock, as doubles written with all their digits.
-- KEYS are those of one provider: what its keys have taken, what rests, and its leases with the end of each.
-- A test may say what time it is, steadily and on the wall: ARGV 1 and 2. ARGV 3: seconds without a sign of life after
-- which a lease is over.
local STATE, RESTS, LEASES, HELD = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local NEVER = -1
local POLL = 0.25 -- seconds after which to ask again where nobody knows how long it takes
local KEPT = 40 * 86400 -- seconds: longer than any rest and any usage window
local LIFE = tonumber(ARGV[3])

local now, wall = tonumber(ARGV[1]), tonumber(ARGV[2])
if not now then
  local time = redis.call('TIME')
  now = tonumber(time[1]) + tonumber(time[2]) / 1000000
  wall = now
end

local function number(value)
  return string.format('%.17g', value)
end

-- HMGET of any number of fields: unpack has its limits.
local function hmget(key, fields)
  local found = {}
  for first = 1, #fields, 1000 do
    local texts = redis.call('HMGET', key, unpack(fields, first, math.min(#fields, first + 999)))
    for index = 1, #texts do
      found[first + index - 1] = texts[index]
    end
  end
  return found
end

-- How much of a limit is taken, and what else is known of a key: Meter and KeyView.
local function meter_of(text)
  if not text or text == '' then
    return { requests = 0, tokens = 0, open = 0, last_used = 0, turns = 0, used = 0, period = 0 }
  end
  local requests, tokens, open, last_used, turns, used, period =
    string.match(text, '^(%S+) (%S+) (%S+) (%S+) (%S+) (%S+) (%S+)$')
  return {
    requests = tonumber(requests),
    tokens = tonumber(tokens),
    open = tonumber(open),
    last_used = tonumber(last_used),
    turns = tonumber(turns),
    used = tonumber(used),
    period = tonumber(period),
  }
end

local function meter_text(meter)
  return string.format(
    '%.17g %.17g %d %.17g %d %d %d',
    meter.requests,
    meter.tokens,
    meter.open,
    meter.last_used,
    meter.turns,
    meter.used,
    meter.period
  )
end

-- A lease: what its end has to give back.
local function held_of(text)
  local key, account, began, cost, probe, cooled, period, limited, model =
    string.match(text, '^(%S+) (%S+) (%S+) (%S+) (%d) (%d) (%S+) (%d) (.*)$')
  return {
    key = key,
    account = account,
    began = tonumber(began),
    cost = tonumber(cost),
    probe = probe == '1',
    cooled = cooled == '1', -- it probes the provider
    period = tonumber(period),
    limited = tonumber(limited), -- which meters it counts in beside the key's: 1 the model's, 2 the provider's, 3 both
    model = model,
  }
end

local function held_text(held)
  return string.format(
    '%s %s %.17g %d %d %d %d %d %s',
    held.key,
    held.account,
    held.began,
    held.cost,
    held.probe and 1 or 0,
    held.cooled and 1 or 0,
    held.period,
    held.limited,
    held.model
  )
end

-- The fields of STATE in which a lease counts; the key's is the first.
local function fields_of(held)
  local fields = { 'k:' .. held.key }
  if held.limited % 2 == 1 then
    fields[2] = 'm:' .. held.model
  end
  if held.limited >= 2 then
    fields[#fields + 1] = 'p'
  end
  return fields
end

-- Ends a lease; ``settle(meter, field)`` may change what it leaves behind, ``more`` is written with it.
local function give_back(lease, held, settle, more)
  redis.call('ZREM', LEASES, lease)
  redis.call('HDEL', HELD, lease)
  local fields = fields_of(held)
  local texts = redis.call('HMGET', STATE, unpack(fields))
  local changed = more or {}
  for index, field in ipairs(fields) do
    local meter = meter_of(texts[index])
    meter.open = math.max(0, meter.open - 1)
    settle(meter, field)
    changed[#changed + 1] = field
    changed[#changed + 1] = meter_text(meter)
  end
  redis.call('HSET', STATE, unpack(changed))
end

-- An attempt that did not succeed does not count against the usage limit of its period.
local function uncount(held)
  return function(meter, field)
    if field == 'k:' .. held.key and meter.period == held.period then
      meter.used = math.max(0, meter.used - 1)
    end
  end
end

-- Leases whose process gave no sign of life are over, as if abandoned.
local function reap()
  local gone = redis.call('ZRANGEBYSCORE', LEASES, '-inf', number(now), 'LIMIT', 0, 100)
  for _, lease in ipairs(gone) do
    local text = redis.call('HGET', HELD, lease)
    if text then
      local held = held_of(text)
      give_back(lease, held, uncount(held))
    else
      redis.call('ZREM', LEASES, lease)
    end
  end
end

-- With the first lease, and with every sign of life.
local function keep_leases()
  local seconds = math.ceil(30 * LIFE)
  redis.call('EXPIRE', LEASES, seconds)
  redis.call('EXPIRE', HELD, seconds)
end
