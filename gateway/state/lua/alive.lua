-- Whether this server can be written to. KEYS 1: a key of no other use. ARGV 1 and 2 are as for every verb.
local time = redis.call('TIME')
redis.call('SET', KEYS[1], time[1], 'EX', 60)
return string.format('%.17g', tonumber(time[1]) + tonumber(time[2]) / 1000000)
