-- The generic cell rate algorithm, as in gcra.py.
local MINUTE = 60
local INSTANT = 1e-6 -- seconds; who waits for less may find the clock unmoved
local UNEVEN = 1.02 -- as in providers/windows.py

-- Seconds between two requests, and how many may come at once.
local function pace(rate, seconds, part)
  local burst = math.max(1, math.floor(rate / part))
  return UNEVEN * seconds / (rate - burst + 1), burst
end

local function wait_of(seconds)
  return seconds > INSTANT and seconds or 0
end

local function requests_wait(moment, rate, seconds, part)
  local interval, burst = pace(rate, seconds, part)
  return wait_of(moment - now - (burst - 1) * interval)
end

local function after_request(moment, rate, seconds, part)
  local interval = pace(rate, seconds, part)
  return math.max(moment, now) + interval
end

local function tokens_wait(moment, limit, cost)
  local interval, burst = MINUTE / limit, math.max(1, math.floor(limit / 4))
  return wait_of(moment - now - math.max(0, burst - cost) * interval)
end

-- A bucket that holds a minute's limit.
local function bucket_wait(moment, limit, cost)
  return wait_of(moment - now - math.max(0, limit - cost) * MINUTE / limit)
end

local function after_tokens(moment, limit, cost)
  return math.max(now, math.min(now + MINUTE, math.max(moment, now) + cost * MINUTE / limit))
end
