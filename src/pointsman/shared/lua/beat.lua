-- A replica lives; it learns what others have said.
-- KEYS: replicas, applied, epoch, breakers, generation.   ARGV: me, epoch, alive for (ms), breakers told of as JSON {name: text}.
-- Returns verdict, now, how many replicas live, breakers (name, text…), generation (name, text…).
if not counts(KEYS[2], ARGV[1], KEYS[3], ARGV[2]) then return {'lost'} end
redis.call('EXPIRE', KEYS[2], 86400)
local now = now_ms()
local seen = number(redis.call('ZSCORE', KEYS[1], ARGV[1]))
-- Whoever was silent for so long was taken for dead, and what it has under way no longer counts: it has to join anew.
if not seen or seen < now - tonumber(ARGV[3]) then return {'lost'} end
redis.call('ZADD', KEYS[1], text(now), ARGV[1])
for name, said in pairs(cjson.decode(ARGV[4])) do redis.call('HSET', KEYS[4], name, text(now) .. ' ' .. said) end
if redis.call('EXISTS', KEYS[4]) == 1 then redis.call('PEXPIRE', KEYS[4], 86400000) end
return {'ok', text(now), redis.call('ZCOUNT', KEYS[1], now - tonumber(ARGV[3]), '+inf'),
  redis.call('HGETALL', KEYS[4]), redis.call('HGETALL', KEYS[5])}
