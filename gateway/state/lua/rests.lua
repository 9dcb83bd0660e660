-- What rests, as in rests.py: a field of RESTS per key and model, account, and model; the provider is the model "".
local MOST = 2048 -- rests that are remembered; any client can name any model

local known = {} -- those that were read, by field; false where there is none
local changed = {} -- the fields to write

local function key_field(key, model)
  return 'k:' .. key .. ':' .. model
end

local function rest_of(text)
  if not text then
    return false
  end
  local ends, since, step, strikes, probe, shared, reason, failed, prober =
    string.match(text, '^(%S+) (%S+) (%S+) (%S+) (%d) (%S+) (%S*) (%S+) (.*)$')
  return {
    ends = tonumber(ends),
    since = tonumber(since),
    step = tonumber(step),
    strikes = tonumber(strikes),
    probe = probe == '1',
    shared = tonumber(shared),
    reason = reason,
    failed = failed, -- keys, between commas
    prober = prober,
  }
end

local function rest_text(rest)
  return string.format(
    '%.17g %.17g %d %d %d %.17g %s %s %s',
    rest.ends,
    rest.since,
    rest.step,
    rest.strikes,
    rest.probe and 1 or 0,
    rest.shared,
    rest.reason,
    rest.failed,
    rest.prober
  )
end

-- Reads many at once; with ``none``, it is known that there are none.
local function fetch(fields, none)
  local texts = none and {} or hmget(RESTS, fields)
  for index, field in ipairs(fields) do
    known[field] = rest_of(texts[index])
  end
end

local function rest_at(field)
  if known[field] == nil then
    known[field] = rest_of(redis.call('HGET', RESTS, field))
  end
  return known[field]
end

local function put(field, rest)
  known[field] = rest
  changed[field] = true
end

-- Writes what was changed.
local function save_rests()
  for field in pairs(changed) do
    if known[field] then
      redis.call('HSET', RESTS, field, rest_text(known[field]))
      redis.call('EXPIRE', RESTS, KEPT)
    else
      redis.call('HDEL', RESTS, field)
    end
  end
end

local function active(rest)
  return rest and rest.ends > now
end
