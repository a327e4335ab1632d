-- Sets money aside for a request that has entered, in place of what it had set aside.
-- KEYS: replicas, applied, epoch, under way of the key, of everybody, four of money as in `enter`.
-- ARGV: me, seq, epoch, alive for (ms), four budgets, most USD, held before: number (0 or 1) and USD.
-- Returns verdict, which budget, four sums of money.
if not counts(KEYS[2], ARGV[1], KEYS[3], ARGV[3]) then return {'lost'} end
redis.call('HSET', KEYS[2], 'seq', ARGV[2])
local me, alive_from = ARGV[1], now_ms() - tonumber(ARGV[4])
local most, had, had_usd = tonumber(ARGV[9]), tonumber(ARGV[10]), tonumber(ARGV[11])
local _, own_held, own_usd = under_way(KEYS[4], me, KEYS[1], alive_from)
local _, all_held, all_usd = under_way(KEYS[5], me, KEYS[1], alive_from)
local out = {'ok', '', '', '', '', ''}
for i = 1, 4 do
  local budget = number(ARGV[4 + i])
  if budget then
    local n_held, held = own_held, own_usd
    if i > 2 then n_held, held = all_held, all_usd end
    local usd = spent(KEYS[5 + i])
    out[2 + i] = text(usd)
    if out[1] == 'ok' then
      if usd >= budget then
        out[1], out[2] = 'spent', tostring(i)
      elseif n_held - had > 0 and usd + held - had_usd + most > budget then
        out[1], out[2] = 'held', tostring(i)
      end
    end
  end
end
if out[1] == 'ok' then
  add_under_way(KEYS[4], me, 0, 1 - had, most - had_usd)
  add_under_way(KEYS[5], me, 0, 1 - had, most - had_usd)
end
return out
