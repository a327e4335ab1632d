-- Stands before every script. Numbers cross as text: what Redis returns as a number is cut off at the point.
-- Keys are named by the caller; an empty argument means "not given".

local function number(text)
  if not text or text == '' then return nil end
  return tonumber(text)
end

local function text(number) return string.format('%.17g', number) end

-- Milliseconds by the server's clock, so that replicas' clocks need not agree.
local function now_ms()
  local t = redis.call('TIME')
  return tonumber(t[1]) * 1000 + tonumber(t[2]) / 1000
end

-- Money of one key and window, USD. Two sums that are both at most the truth, so that their larger one never counts
-- anything twice: what some replica had seen before data were lost, with all settled since; what the ledger knew then,
-- with all settled after it was read.
local function spent(key)
  local m = redis.call('HMGET', key, 'seen', 'settled', 'ledger', 'since')
  local a = (number(m[1]) or 0) + (number(m[2]) or 0)
  local b = (number(m[3]) or 0) + (number(m[4]) or 0)
  return math.max(a, b)
end

-- Requests under way of one key: their number, how many have money set aside, and how much, over replicas that live.
-- One field for each replica; those of a replica that is gone are dropped.
local function under_way(key, me, replicas, alive_from)
  local n, n_held, usd = 0, 0, 0
  local all = redis.call('HGETALL', key)
  for i = 1, #all, 2 do
    local lives = all[i] == me
    if not lives then
      local seen = redis.call('ZSCORE', replicas, all[i])
      lives = seen and tonumber(seen) >= alive_from
    end
    if lives then
      local a, b, c = string.match(all[i + 1], '^(%S+) (%S+) (%S+)$')
      n, n_held, usd = n + tonumber(a), n_held + tonumber(b), usd + tonumber(c)
    else
      redis.call('HDEL', key, all[i])
    end
  end
  return n, n_held, usd
end

local function add_under_way(key, me, n, n_held, usd)
  local before = redis.call('HGET', key, me)
  if before then
    local a, b, c = string.match(before, '^(%S+) (%S+) (%S+)$')
    n, n_held, usd = n + tonumber(a), n_held + tonumber(b), usd + tonumber(c)
  end
  if n <= 0 and n_held <= 0 then
    redis.call('HDEL', key, me)
  else
    -- With nothing held the sum is exactly 0 again, whatever rounding left behind.
    if n_held <= 0 then usd = 0 end
    redis.call('HSET', key, me, text(n) .. ' ' .. text(n_held) .. ' ' .. text(usd))
  end
end

-- A limit per minute is a bucket of one minute's worth. Kept is what is missing from it, so that another rate needs no
-- change; it flows back evenly.
local function missing(key, what, per_min, now)
  local m = redis.call('HMGET', key, what, what .. '_at')
  local amount, at = number(m[1]) or 0, number(m[2]) or now
  return math.max(0, amount - math.max(0, now - at) * per_min / 60000)
end

local function set_missing(key, what, amount, now)
  redis.call('HSET', key, what, text(amount), what .. '_at', text(now))
  redis.call('PEXPIRE', key, 3600000)
end

-- Milliseconds until so much can be taken; more than a bucket holds waits until it is full.
local function wait_ms(amount, lacking, per_min)
  local more = math.min(amount, per_min) - (per_min - lacking)
  if more <= 1e-9 * per_min then return 0 end
  return more * 60000 / per_min
end

-- False for what a replica sent before it joined anew: it was told then what had been carried out, and tells the rest
-- again, so that what still comes over the old connection must do nothing. Nothing is true without the epoch's data.
local function counts(applied, me, epoch_key, epoch)
  return redis.call('GET', epoch_key) == epoch and redis.call('HGET', applied, 'me') == me
end
