-- A replica comes back, or comes for the first time, under a new name: what it had under way under the old one is gone.
-- KEYS: replicas, applied (who this replica is, and the last that was carried out of what it sent), epoch, when the ledger was read for it, who begins an epoch.
-- ARGV: old name, new name, how long who begins an epoch may take (ms).
-- Returns now, epoch, when the ledger was read, the last batch applied, 1 where this replica has to begin an epoch.
local now = now_ms()
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - 86400000)
redis.call('ZREM', KEYS[1], ARGV[1])
local seq = redis.call('HGET', KEYS[2], 'seq') or '0'
local begins = 0
if redis.call('EXISTS', KEYS[3]) == 0 then
  if redis.call('SET', KEYS[5], ARGV[2], 'NX', 'PX', ARGV[3]) then begins = 1 end
end
redis.call('HSET', KEYS[2], 'me', ARGV[2])
redis.call('EXPIRE', KEYS[2], 86400)
return {text(now), redis.call('GET', KEYS[3]) or '', redis.call('GET', KEYS[4]) or '0', seq, begins}
