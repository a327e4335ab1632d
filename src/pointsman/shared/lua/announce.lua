-- A replica has loaded another configuration, or read other keys.
-- KEYS: generation.   ARGV: "config" or "keys", what it is now.
-- Returns the number of changes so far. What is announced already changes nothing.
if redis.call('HGET', KEYS[1], ARGV[1]) ~= ARGV[2] then
  redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
  return redis.call('HINCRBY', KEYS[1], ARGV[1] .. '_n', 1)
end
return number(redis.call('HGET', KEYS[1], ARGV[1] .. '_n')) or 0
