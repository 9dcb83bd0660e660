-- The first candidate that fits is leased, with its share of every limit, or nothing is and the wait is told.
-- ARGV: 4 lease, 5 model, 6 tokens, 7 limits, 8 and on: candidates, "key account requests tokens concurrency" each.
-- Returns lines: "chosen probe now wait reason", those passed over, every candidate's meter, the rests that were met.
local lease, model, cost = ARGV[4], ARGV[5], tonumber(ARGV[6])
local FIRST = 8
local count = #ARGV - FIRST + 1
local ROUND, DAY, MONTH = 0, 1, 2

local limits = {}
for word in string.gmatch(ARGV[7], '%S+') do
  limits[#limits + 1] = tonumber(word)
end
local model_limits = { requests = limits[1], tokens = limits[2], open = limits[3], seconds = MINUTE, part = 40 }
local provider_limits = { requests = limits[4], seconds = limits[5], open = limits[6], tokens = 0, part = 20 }
local usage_limit, usage_window = limits[7], limits[8]
local bucket = limits[9] == 1

-- A candidate's text begins with its hash and its account's, which are of one length; of most, no more is looked at.
local HASH = 24
local keys, fields = {}, { 'round', 'm:' .. model, 'p' }
for index = 1, count do
  keys[index] = string.sub(ARGV[FIRST + index - 1], 1, HASH)
  fields[index + 3] = 'k:' .. keys[index]
end

local function account_of(index)
  return string.sub(ARGV[FIRST + index - 1], HASH + 2, 2 * HASH + 1)
end

local function limits_of(index)
  local requests, tokens, open = string.match(ARGV[FIRST + index - 1], ' (%d+) (%d+) (%d+)$')
  return {
    requests = tonumber(requests),
    tokens = tonumber(tokens),
    open = tonumber(open),
    seconds = MINUTE,
    part = 40,
    bucket = bucket,
  }
end

reap()

local texts = hmget(STATE, fields)
local round = tonumber(texts[1] or 0)
local before_round = round
local meters, dirty = {}, {}

local function meter_at(index)
  meters[index] = meters[index] or meter_of(texts[index + 3])
  return meters[index]
end

local resting = redis.call('HLEN', RESTS) > 0
local places = {}
if resting then
  places = common_places(model)
  for index = 1, count do
    for _, field in ipairs(own_places(keys[index], account_of(index), model)) do
      places[#places + 1] = field
    end
  end
  fetch(places)
end

local function limited(own)
  return own.requests > 0 or own.tokens > 0 or own.open > 0
end

-- A model has a meter from its first limit on.
local model_meter = (texts[2] or limited(model_limits)) and meter_of(texts[2])
local provider_meter = limited(provider_limits) and meter_of(texts[3])

-- The wait for the limit that one more request would break, and which; nil where it fits.
local function over(meter, own)
  if own.open > 0 and meter.open >= own.open then
    return POLL, 'concurrency'
  end
  local requests, tokens = 0, 0
  if own.requests > 0 then
    requests = own.bucket and bucket_wait(meter.requests, own.requests, 1)
      or not own.bucket and requests_wait(meter.requests, own.requests, own.seconds, own.part)
  end
  if own.tokens > 0 then
    tokens = (own.bucket and bucket_wait or tokens_wait)(meter.tokens, own.tokens, cost)
  end
  -- A client is told when it may come again: when both let it.
  if requests > 0 and not (own.bucket and tokens > requests) then
    return requests, 'requests'
  elseif tokens > 0 then
    return tokens, 'tokens'
  end
end

local function charge(meter, own)
  meter.open = meter.open + 1
  if own.requests > 0 and own.bucket then
    meter.requests = after_tokens(meter.requests, own.requests, 1)
  elseif own.requests > 0 then
    meter.requests = after_request(meter.requests, own.requests, own.seconds, own.part)
  end
  if own.tokens > 0 then
    meter.tokens = after_tokens(meter.tokens, own.tokens, cost)
  end
end

-- Days since 1970 of the first of the next month (Howard Hinnant's days_from_civil and its inverse).
local function next_month(days)
  local z = days + 719468
  local era = math.floor(z / 146097)
  local doe = z - era * 146097
  local yoe = math.floor((doe - math.floor(doe / 1460) + math.floor(doe / 36524) - math.floor(doe / 146096)) / 365)
  local doy = doe - (365 * yoe + math.floor(yoe / 4) - math.floor(yoe / 100))
  local mp = math.floor((5 * doy + 2) / 153)
  local day = doy - math.floor((153 * mp + 2) / 5) + 1
  local length = { 31, 30, 31, 30, 31, 31, 30, 31, 30, 31, 31 } -- from March on
  local year = yoe + era * 400 + 1
  local leap = year % 4 == 0 and (year % 100 ~= 0 or year % 400 == 0)
  return days - day + 1 + (length[mp + 1] or (leap and 29 or 28))
end

-- Seconds until a key may be used again that has had its share of the period.
local function used_up(meter, index)
  local left, period = POLL, round
  if usage_window ~= ROUND then
    local days = math.floor(wall / 86400)
    period = 86400 * (usage_window == DAY and days + 1 or next_month(days))
    left = period - wall
  end
  if meter.period ~= period then
    meter.used, meter.period, dirty[index] = 0, period, true
  end
  return meter.used >= usage_limit and left or 0
end

local passed, shortest, reason

local function pass(index, wait, why)
  passed[#passed + 1] = index .. ' ' .. number(wait) .. ' ' .. why
  if not shortest or wait < shortest then
    shortest, reason = wait, why
  end
end

-- Whether the model or the provider keeps every key from serving.
local function refuses_all()
  local wait, why = 0, ''
  if resting then
    wait, why = longest_rest(common_places(model))
  end
  if wait == 0 and model_meter then
    wait, why = over(model_meter, model_limits)
  end
  if (wait or 0) == 0 and provider_meter then
    wait, why = over(provider_meter, provider_limits)
  end
  if wait and wait > 0 then
    pass(0, wait, why)
    return true
  end
end

local function unfit(index)
  if resting then
    local wait, why = longest_rest(own_places(keys[index], account_of(index), model))
    if wait > 0 then
      return wait, why
    end
  end
  if usage_limit > 0 then
    local wait = used_up(meter_at(index), index)
    if wait > 0 then
      return wait, 'usage'
    end
  end
  return over(meter_at(index), limits_of(index))
end

local function first_that_fits()
  local spent = false
  passed, shortest, reason = {}, nil, 'no_key'
  for index = 1, count do
    local wait, why = unfit(index)
    if not wait then
      return index
    end
    spent = spent or why == 'usage'
    pass(index, wait, why)
  end
  return 0, spent
end

local function choose()
  passed = {}
  if refuses_all() then
    return 0
  end
  local chosen, spent = first_that_fits()
  if chosen == 0 and spent and usage_window == ROUND then
    round = round + 1
    chosen = first_that_fits()
  end
  return chosen
end

local writes = {}

local function write(field, value)
  writes[#writes + 1] = field
  writes[#writes + 1] = value
end

-- This attempt finds out for everything that rested until now.
local function probes(index)
  local found, cooled = false, false
  if resting then
    for _, group in ipairs({ own_places(keys[index], account_of(index), model), common_places(model) }) do
      for _, field in ipairs(group) do
        local rest = rest_at(field)
        if rest and rest.probe and rest.step > 0 then
          rest.prober = lease
          put(field, rest)
          found, cooled = true, cooled or field == 'm:'
        end
      end
    end
  end
  return found, cooled
end

local function take(index)
  local meter = meter_at(index)
  local probe, cooled = probes(index)
  charge(meter, limits_of(index))
  if model_meter then
    charge(model_meter, model_limits)
    write('m:' .. model, meter_text(model_meter))
  end
  if provider_meter then
    charge(provider_meter, provider_limits)
    write('p', meter_text(provider_meter))
  end
  meter.last_used, meter.turns, meter.used = now, meter.turns + 1, meter.used + 1
  dirty[index] = true
  local held = {
    key = keys[index],
    account = account_of(index),
    began = now,
    cost = cost,
    probe = probe,
    cooled = cooled,
    period = meter.period,
    limited = (model_meter and 1 or 0) + (provider_meter and 2 or 0),
    model = model,
  }
  redis.call('HSET', HELD, lease, held_text(held))
  redis.call('ZADD', LEASES, number(now + LIFE), lease)
  if redis.call('HLEN', HELD) == 1 then
    keep_leases()
  end
  return probe
end

local function save()
  local refresh = false
  if round ~= before_round then
    write('round', round)
  end
  for index in pairs(dirty) do
    local text = meter_text(meters[index])
    -- A new key, or every now and then one that goes on.
    refresh = refresh or not texts[index + 3] or meters[index].turns % 64 == 0
    texts[index + 3] = text
    write('k:' .. keys[index], text)
  end
  if #writes > 0 then
    redis.call('HSET', STATE, unpack(writes))
    if refresh then
      redis.call('EXPIRE', STATE, KEPT)
    end
  end
  if resting then
    save_rests()
  end
end

local function index_of(key)
  for index = 1, count do
    if keys[index] == key then
      return index
    end
  end
  return 0
end

local before = redis.call('HGET', HELD, lease)
local chosen, probe
if before then
  local held = held_of(before)
  passed, chosen, probe = {}, index_of(held.key), held.probe
else
  chosen = choose()
  probe = chosen > 0 and take(chosen)
  save()
end

local seen = {}
for index = 1, count do
  seen[index] = texts[index + 3] or ''
end
local met = {}
for index, field in ipairs(places) do
  local rest = known[field]
  if rest then
    met[#met + 1] = (index - 1)
      .. ' '
      .. string.format('%.17g %.17g %d %d %d %.17g %s', rest.ends, rest.since, rest.step, rest.strikes, rest.probe and 1 or 0, rest.shared, rest.reason)
  end
end
local waits = chosen == 0 and shortest or 0
local why = chosen == 0 and reason or ''
return table.concat({
  chosen .. ' ' .. (probe and 1 or 0) .. ' ' .. number(now) .. ' ' .. number(waits) .. ' ' .. why,
  table.concat(passed, ';'),
  table.concat(seen, ';'),
  table.concat(met, ';'),
}, '\n')
