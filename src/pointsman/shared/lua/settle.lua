-- Carries out a batch of changes. Its number stays, so that a replica whose answer was lost learns that it was.
-- KEYS: replicas, applied, epoch, then those that the changes name by their place.
-- ARGV: me, seq, epoch, 1 where the replica joins with it, changes as JSON:
--   ["under_way", key, n, n held, USD]   ["missing", key, what, amount, per minute]
--   ["money", key, USD, 1 when after the ledger was read, seconds since 1970 when it expires]
--   ["seen", key, USD, expires]          ["value", key, text, lives for (ms)]   ["forget", key]
if not counts(KEYS[2], ARGV[1], KEYS[3], ARGV[3]) then return 'lost' end
redis.call('HSET', KEYS[2], 'seq', ARGV[2])
local now = now_ms()
-- A replica lives from here on: one whose answers get lost on the way never comes so far.
if ARGV[4] == '1' then redis.call('ZADD', KEYS[1], text(now), ARGV[1]) end
for _, change in ipairs(cjson.decode(ARGV[5])) do
  local what, key = change[1], KEYS[change[2] + 3]
  if what == 'under_way' then
    add_under_way(key, ARGV[1], change[3], change[4], change[5])
  elseif what == 'missing' then
    set_missing(key, change[3], math.max(0, missing(key, change[3], change[5], now) + change[4]), now)
  elseif what == 'money' then
    redis.call('HINCRBYFLOAT', key, 'settled', text(change[3]))
    if change[4] == 1 then redis.call('HINCRBYFLOAT', key, 'since', text(change[3])) end
    redis.call('EXPIREAT', key, change[5])
  elseif what == 'seen' then
    if change[3] > (number(redis.call('HGET', key, 'seen')) or 0) then redis.call('HSET', key, 'seen', text(change[3])) end
    redis.call('EXPIREAT', key, change[4])
  elseif what == 'value' then
    redis.call('SET', key, text(now) .. ' ' .. change[3], 'PX', change[4])
  elseif what == 'forget' then
    redis.call('DEL', key)
  end
end
return 'ok'
