-- What a process found out and used while this server was away. ARGV 4: how many rests there are; for each its field and
-- "seconds-left seconds-since step strikes probe reason". Then, of what was used: "requests seconds-each tokens
-- seconds-each seconds-away good-requests period field".
local MINUTE = 60
local count = tonumber(ARGV[4])
for index = 5, 3 + 2 * count, 2 do
  local left, since, step, strikes, probe, reason =
    string.match(ARGV[index + 1], '^(%S+) (%S+) (%d+) (%d+) (%d) (%S*)$')
  local rest = rest_at(ARGV[index])
  if not rest or rest.ends < now + tonumber(left) then
    put(ARGV[index], {
      ends = now + tonumber(left),
      since = now - tonumber(since),
      step = math.max(rest and rest.step or 0, tonumber(step)),
      strikes = math.max(rest and rest.strikes or 0, tonumber(strikes)),
      probe = probe == '1',
      shared = NEVER,
      reason = reason,
      failed = rest and rest.failed or '-',
      prober = '',
    })
  end
end
save_rests()

-- As if it had all come when this server went away; others may have told of the same time.
local function charged(moment, seconds, ago)
  return math.min(now + MINUTE, math.max(moment, now - ago) + seconds)
end

for index = 5 + 2 * count, #ARGV do
  local requests, interval, tokens, token, ago, good, period, field =
    string.match(ARGV[index], '^(%S+) (%S+) (%S+) (%S+) (%S+) (%S+) (%S+) (.*)$')
  local meter = meter_of(redis.call('HGET', STATE, field))
  meter.requests = charged(meter.requests, requests * interval, tonumber(ago))
  meter.tokens = charged(meter.tokens, tokens * token, tonumber(ago))
  if meter.period < tonumber(period) then
    meter.used, meter.period = 0, tonumber(period)
  end
  if meter.period == tonumber(period) then
    meter.used = meter.used + tonumber(good)
  end
  meter.turns = meter.turns + tonumber(good)
  redis.call('HSET', STATE, field, meter_text(meter))
  redis.call('EXPIRE', STATE, KEPT)
end
return 1
