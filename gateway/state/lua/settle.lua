-- An attempt has ended (ok, failed, abandoned, refunded), or got its answer (proved).
-- ARGV: 4 lease, 5 outcome, 6 tokens or "", 7 "key-tokens-limit model-tokens-limit refunded-requests-limit", 8 the order of a rest or "",
-- 9 the lease as its process knows it, where this server may have lost it, or "", 10 and on: all candidates, "key
-- account" each.
local lease, outcome, actual = ARGV[4], ARGV[5], tonumber(ARGV[6])
local key_limit, model_limit, refunded = string.match(ARGV[7], '^(%S+) (%S+) ?(%S*)$')
refunded = tonumber(refunded) or 0 -- the limit of a bucket that gets its request back
local TOGETHER = 10 -- seconds within which failures of all keys are one event
local COOL, COOLEST = 5, 60 -- seconds that a provider rests which refused all its keys, doubling
local ALWAYS = math.huge

local text = redis.call('HGET', HELD, lease)
local held
if text then
  held = held_of(text)
elseif ARGV[9] ~= '' then
  held = held_of(ARGV[9])
else
  return 0
end

local candidates = {}
for index = 10, #ARGV do
  local key, account = string.match(ARGV[index], '^(%S+) (%S+)')
  candidates[#candidates + 1] = { key = key, places = own_places(key, account, held.model) }
end

local function places_of(attempt)
  local fields = own_places(attempt.key, attempt.account, attempt.model)
  for _, field in ipairs(common_places(attempt.model)) do
    fields[#fields + 1] = field
  end
  return fields
end

local function last_success()
  return tonumber(redis.call('HGET', STATE, 'success') or NEVER)
end

local function succeeded()
  if redis.call('HLEN', RESTS) > 0 then
    local fields = places_of(held)
    fetch(fields)
    for _, field in ipairs(fields) do
      finish(field, held.began)
    end
  end
end

-- Whether a key or its account rests.
local function rests_now(candidate)
  for _, field in ipairs(candidate.places) do
    if active(rest_at(field)) then
      return true
    end
  end
  return false
end

-- A key is usable that is not among those that failed.
local function another_may_work(failed)
  for _, candidate in ipairs(candidates) do
    if candidate.key ~= held.key and not failed[candidate.key] and not rests_now(candidate) then
      return true
    end
  end
  return false
end

-- The key's rests for what all keys may share, of this reason and just met.
local function alike(candidate, reason)
  local found = {}
  for _, field in ipairs(candidate.places) do
    local rest = rest_at(field)
    if rest and rest.shared > NEVER and rest.reason == reason and rest.shared >= now - TOGETHER then
      found[#found + 1] = field
    end
  end
  return found
end

-- Every key that was usable was refused so within TOGETHER seconds, and no attempt since succeeded.
local function all_refused(reason)
  local distinct, count, earliest = {}, 0, ALWAYS
  for _, candidate in ipairs(candidates) do
    local field = alike(candidate, reason)[1]
    if field then
      if not distinct[field] then
        distinct[field], count = true, count + 1
      end
      earliest = math.min(earliest, rest_at(field).shared)
    elseif not rests_now(candidate) then
      return false
    end
  end
  return count > 1 and last_success() < earliest
end

local function cool(reason)
  local order = {
    scope = 'provider',
    reason = reason,
    seconds = COOL,
    longest = COOLEST,
    honest = false,
    probe = true,
    strikes = 1,
    common = false,
    all_keys = false,
  }
  advance('m:', order, ALWAYS, '', false)
end

local function blame(keys)
  redis.call('HSET', STATE, 'blamed', set_text(keys))
  redis.call('EXPIRE', STATE, KEPT)
end

-- It was the provider, or our address: no key rests for it.
local function blame_provider(reason)
  local keys, fields = {}, {}
  for _, candidate in ipairs(candidates) do
    for _, field in ipairs(alike(candidate, reason)) do
      keys[candidate.key], fields[field] = true, true
    end
  end
  blame(keys)
  for field in pairs(fields) do
    take_back(field, rest_at(field))
  end
  cool(reason)
end

-- Whether the provider rests for this refusal already, or now rests longer for it.
local function cools_for(reason)
  local cooled = rest_at('m:')
  if not cooled or cooled.reason ~= reason then
    return false
  end
  if cooled.since >= held.began then
    return true
  end
  local stored = redis.call('HGET', STATE, 'blamed')
  local blamed = set_of(stored and stored ~= '-' and stored or '')
  if not held.cooled or another_may_work(blamed) then
    return false
  end
  blamed[held.key] = true
  blame(blamed)
  cool(reason)
  return true
end

local function place(scope)
  if scope == 'key' then
    return key_field(held.key, '')
  elseif scope == 'key_model' then
    return key_field(held.key, held.model)
  elseif scope == 'account' then
    return 'a:' .. held.account
  end
  return 'm:' .. held.model
end

local function failed(order)
  local shared = may_be_shared(order)
  if shared and cools_for(order.reason) then
    return
  end
  local field = place(order.scope)
  local spare = order.all_keys and another_may_work(failed_of(rest_at(field)))
  local rest = advance(field, order, held.began, held.key, spare)
  if rest and shared and all_refused(order.reason) then
    blame_provider(order.reason)
  end
end

-- What was charged as estimated is put right.
local function settled(meter, field)
  local limit = tonumber(field == 'k:' .. held.key and key_limit or field ~= 'p' and model_limit or 0)
  local extra = actual and actual - held.cost or 0
  if limit > 0 and extra ~= 0 then
    meter.tokens = after_tokens(meter.tokens, limit, extra)
  end
  if refunded > 0 and field == 'k:' .. held.key then
    meter.requests = after_tokens(meter.requests, refunded, -1)
  end
end

local good = outcome == 'ok' or outcome == 'proved'
local success = good and held.began > last_success() and { 'success', number(held.began) }
if outcome ~= 'proved' and text then
  local forget = uncount(held)
  give_back(lease, held, function(meter, field)
    settled(meter, field)
    if not good then
      forget(meter, field)
    end
  end, success)
elseif success then
  redis.call('HSET', STATE, unpack(success))
  redis.call('EXPIRE', STATE, KEPT)
end
if good then
  succeeded()
elseif ARGV[8] ~= '' then
  failed(order_of(ARGV[8]))
end
save_rests()
return 1
