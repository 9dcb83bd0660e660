-- Adds to what clients used. KEYS: 1 sums by client, session and agent, 2 those that are sessions' by their last use,
-- 3 what this process told last. ARGV: 1 how many sessions, 2 for how many seconds, 3 the number of this telling (the
-- same one counts once), then fields and "what was counted ..., when" in turn. Sessions beyond go on in their client's.
local most, seconds = tonumber(ARGV[1]), tonumber(ARGV[2])
if redis.call('GET', KEYS[3]) == ARGV[3] then
  return 0
end
redis.call('SET', KEYS[3], ARGV[3], 'EX', 3600)

local function numbers(text)
  local found = {}
  for each in string.gmatch(text, '%S+') do
    found[#found + 1] = tonumber(each)
  end
  return found
end

local function add(field, text)
  local old = redis.call('HGET', KEYS[1], field)
  local sums = numbers(text)
  if old then
    for index, value in ipairs(numbers(old)) do
      sums[index] = index == #sums and math.max(sums[index], value) or sums[index] + value
    end
  end
  local texts = {}
  for index, value in ipairs(sums) do
    texts[index] = string.format('%.17g', value)
  end
  redis.call('HSET', KEYS[1], field, table.concat(texts, ' '))
  return texts[#texts]
end

local function whole(field)
  return string.match(field, '^[^\31]*') .. '\31\31'
end

for index = 4, #ARGV, 2 do
  local field = ARGV[index]
  local last = add(field, ARGV[index + 1])
  if field ~= whole(field) then
    redis.call('ZADD', KEYS[2], last, field)
  end
end
local over = redis.call('ZCARD', KEYS[2]) - most
if over > 0 then
  for _, field in ipairs(redis.call('ZRANGE', KEYS[2], 0, over - 1)) do
    local text = redis.call('HGET', KEYS[1], field)
    if text then
      add(whole(field), text)
      redis.call('HDEL', KEYS[1], field)
    end
  end
  redis.call('ZREMRANGEBYRANK', KEYS[2], 0, over - 1)
end
if redis.call('HEXISTS', KEYS[1], 'since') == 0 then
  redis.call('HSET', KEYS[1], 'since', redis.call('TIME')[1])
end
redis.call('EXPIRE', KEYS[1], seconds)
redis.call('EXPIRE', KEYS[2], seconds)
return 1
