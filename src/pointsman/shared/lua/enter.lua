-- Takes a request in: limits per minute, requests at once, what is left of budgets, and where it fits all that the
-- request can cost. Reads values beside.
-- KEYS: replicas, applied, epoch, rates, under way of the key, of everybody, money: key's day, key's month, everybody's
--       day, everybody's month; then values to read.
-- ARGV: me, seq, epoch, alive for (ms), requests per minute, tokens per minute, at once, tokens, four budgets as the
--       money, most USD, 1 where anything limits the key: else values are read and nothing is counted.
-- Returns verdict, its detail, now, requests missing, tokens missing, held (1 or 0), four sums of money, values.
if not counts(KEYS[2], ARGV[1], KEYS[3], ARGV[3]) then return {'lost'} end
redis.call('HSET', KEYS[2], 'seq', ARGV[2])
local now = now_ms()
local me, alive_from = ARGV[1], now - tonumber(ARGV[4])
local per_min, tokens_per_min, at_once = number(ARGV[5]), number(ARGV[6]), number(ARGV[7])
local tokens, most = tonumber(ARGV[8]), number(ARGV[13])

local out = {'ok', '', text(now), '', '', 0, '', '', '', ''}
for i = 11, #KEYS do out[i] = redis.call('GET', KEYS[i]) or '' end
if ARGV[14] ~= '1' then return out end

local n, own_held, own_usd = under_way(KEYS[5], me, KEYS[1], alive_from)
if at_once and n >= at_once then
  out[1], out[2] = 'at_once', text(n)
  return out
end
local requests_gone, tokens_gone
if per_min then
  requests_gone = missing(KEYS[4], 'requests', per_min, now)
  out[4] = text(requests_gone)
end
if tokens_per_min then
  tokens_gone = missing(KEYS[4], 'tokens', tokens_per_min, now)
  out[5] = text(tokens_gone)
end
local wait = per_min and wait_ms(1, requests_gone, per_min) or 0
if wait > 0 then
  out[1], out[2] = 'requests', text(wait)
  return out
end
wait = tokens_per_min and wait_ms(tokens, tokens_gone, tokens_per_min) or 0
if wait > 0 then
  out[1], out[2] = 'tokens', text(wait)
  return out
end
local budgets, any = {}, false
for i = 1, 4 do
  budgets[i] = number(ARGV[8 + i])
  if budgets[i] then
    any = true
    local usd = spent(KEYS[6 + i])
    out[6 + i] = text(usd)
    if usd >= budgets[i] and out[1] == 'ok' then out[1], out[2] = 'spent', tostring(i) end
  end
end
if out[1] ~= 'ok' then return out end

if per_min then
  requests_gone = requests_gone + 1
  set_missing(KEYS[4], 'requests', requests_gone, now)
  out[4] = text(requests_gone)
end
if tokens_per_min then
  tokens_gone = tokens_gone + tokens
  set_missing(KEYS[4], 'tokens', tokens_gone, now)
  out[5] = text(tokens_gone)
end
local fits = any and most
if fits then
  local _, all_held, all_usd = under_way(KEYS[6], me, KEYS[1], alive_from)
  for i = 1, 4 do
    local n_held, held = own_held, own_usd
    if i > 2 then n_held, held = all_held, all_usd end
    if budgets[i] and n_held > 0 and tonumber(out[6 + i]) + held + most > budgets[i] then fits = false end
  end
end
if fits then
  add_under_way(KEYS[5], me, 1, 1, most)
  add_under_way(KEYS[6], me, 1, 1, most)
  out[6] = 1
else
  add_under_way(KEYS[5], me, 1, 0, 0)
  add_under_way(KEYS[6], me, 1, 0, 0)
end
return out
