-- Money that the ledger knows, and with the last batch the epoch in which it counts.
-- KEYS: epoch, when the ledger was read for it, who begins it, then of money.
-- ARGV: me, epoch or '' where more batches follow, when the ledger was read (ms), JSON [[USD, expires]...].
-- An epoch is begun by one replica only, within its time.
if redis.call('EXISTS', KEYS[1]) == 1 or redis.call('GET', KEYS[3]) ~= ARGV[1] then return 'late' end
for i, one in ipairs(cjson.decode(ARGV[4])) do
  redis.call('HSET', KEYS[3 + i], 'ledger', text(one[1]))
  redis.call('EXPIREAT', KEYS[3 + i], one[2])
end
if ARGV[2] ~= '' then
  redis.call('SET', KEYS[2], ARGV[3])
  redis.call('SET', KEYS[1], ARGV[2])
  redis.call('DEL', KEYS[3])
end
return 'ok'
