-- Where an attempt's rests are: the key's and its account's, then what all keys share.
local function own_places(key, account, model)
  return { key_field(key, ''), key_field(key, model), 'a:' .. account }
end

local function common_places(model)
  return { 'm:', 'm:' .. model }
end

-- For how many seconds, and why, what rests there keeps others away; 0 = it does not.
local function longest_rest(fields)
  local longest, reason = 0, ''
  for _, field in ipairs(fields) do
    local rest = rest_at(field)
    if rest then
      local wait = rest.ends - now
      if wait <= 0 then
        local probed = rest.prober ~= '' and redis.call('HEXISTS', HELD, rest.prober) == 1
        wait = probed and POLL or 0
      end
      if wait > longest then
        longest, reason = wait, rest.reason
      end
    end
  end
  return longest, reason
end
