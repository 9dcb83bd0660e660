-- How a rest opens, grows and ends, as in rests.py.
-- ORDER is "scope reason seconds longest honest later probe strikes common all_keys"; later is "-" where there is none.
local function order_of(text)
  local scope, reason, seconds, longest, honest, later, probe, strikes, common, all_keys =
    string.match(text, '^(%S+) (%S+) (%S+) (%S+) (%d) (%S+) (%d) (%d+) (%d) (%d)$')
  return {
    scope = scope,
    reason = reason,
    seconds = tonumber(seconds),
    longest = tonumber(longest),
    honest = honest == '1',
    later = tonumber(later),
    probe = probe == '1',
    strikes = tonumber(strikes),
    common = common == '1',
    all_keys = all_keys == '1',
  }
end

local function set_of(text)
  local set = {}
  for key in string.gmatch(text, '[^,]+') do
    set[key] = true
  end
  return set
end

local function set_text(set)
  local keys = {}
  for key in pairs(set) do
    keys[#keys + 1] = key
  end
  table.sort(keys)
  return #keys > 0 and table.concat(keys, ',') or '-'
end

local function failed_of(rest)
  return set_of(rest and rest.failed ~= '-' and rest.failed or '')
end

-- Whether such a failure of all keys at once would be the provider's, or our address's.
local function may_be_shared(order)
  local of_key = order.scope == 'key' or order.scope == 'key_model' or order.scope == 'account'
  return order.common and not order.honest and of_key
end

local function seconds_of(order, step)
  if step > 0 and order.later then
    return order.later
  end
  if order.honest then
    return order.seconds
  end
  return math.min(math.max(order.longest, order.seconds), order.seconds * 2 ^ math.min(step, 40))
end

local function open(rest, order)
  -- A breaker's failures are of many kinds; a key's long rests do not follow from its short ones.
  if rest.reason ~= order.reason and order.scope ~= 'model' then
    rest.step = 0
  end
  rest.ends = math.max(rest.ends, now + seconds_of(order, rest.step))
  rest.since = now
  rest.step = rest.step + 1
  rest.reason, rest.probe, rest.prober = order.reason, order.probe, ''
  rest.shared = may_be_shared(order) and now or NEVER
end

-- A failure of an attempt that was under way when the rest opened: only an upstream's own time counts.
local function met_again(rest, order)
  if order.honest then
    rest.shared = NEVER
    if now + order.seconds > rest.ends then
      rest.since, rest.ends = now, now + order.seconds
      rest.reason, rest.probe = order.reason, order.probe
    end
  elseif rest.shared > NEVER and rest.reason == order.reason then
    rest.shared = now
  end
end

-- Rests of single models that are over go where there are too many, else any half of them.
local function make_room()
  if redis.call('HLEN', RESTS) < MOST then
    return
  end
  local all, over, spare = redis.call('HGETALL', RESTS), {}, {}
  for index = 1, #all, 2 do
    if string.match(all[index], '^k:[^:]*:.') or string.match(all[index], '^m:.') then
      spare[#spare + 1] = all[index]
      if not active(rest_of(all[index + 1])) then
        over[#over + 1] = all[index]
      end
    end
  end
  local going = #over > 0 and over or spare
  local count = #over > 0 and #over or math.floor(#spare / 2)
  for first = 1, count, 1000 do
    redis.call('HDEL', RESTS, unpack(going, first, math.min(count, first + 999)))
  end
end

-- Opens a rest or lengthens it; nil where it takes more failures. One event, seen by many, counts once.
local function advance(field, order, began, key, spare)
  local rest = rest_at(field)
  if not rest then
    make_room()
    rest = {
      ends = now,
      since = NEVER,
      step = 0,
      strikes = 0,
      probe = false,
      shared = NEVER,
      reason = order.reason,
      failed = '-',
      prober = '',
    }
  end
  put(field, rest)
  if key ~= '' then
    local failed = failed_of(rest)
    failed[key] = true
    rest.failed = set_text(failed)
  end
  if spare then
    rest.strikes = rest.strikes + 1
    return nil
  end
  if rest.since >= began then
    met_again(rest, order)
    return rest
  end
  rest.strikes = rest.strikes + 1
  if rest.step == 0 and rest.strikes < order.strikes then
    return nil
  end
  open(rest, order)
  return rest
end

-- What opened before an attempt began that succeeded is over, ladder and all.
local function finish(field, began)
  local rest = rest_at(field)
  if rest and rest.since < began then
    put(field, false)
  end
end

-- As if its last failure had not been its own; those before still count.
local function take_back(field, rest)
  rest.step = rest.step - 1
  rest.ends = now
  put(field, rest.step > 0 and rest)
end
