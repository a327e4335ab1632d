-- One value.   KEYS: its name.
return redis.call('GET', KEYS[1]) or ''
