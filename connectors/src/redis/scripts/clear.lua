-- Drops documents of a lane with their timers and index entries; the counters with the last of them.
-- KEYS: pos, t, n, then eight index keys per definition (r k p s c b t e), then one key per document.
-- ARGV: ep, at, number of definitions, then id and number of its definition (from 1) per document.
-- Answers 1 (the lane is empty), 0 (there is more), or the position if the epoch is another one.
local HEADER = '^%w+:%d+:[wx]%d+:%-?%d*:([rkpscbte]):'

local pos, timers, counters = KEYS[1], KEYS[2], KEYS[3]
local now = redis.call('HMGET', pos, 'wm', 'jpos', 'ep', 'owners', 'at', 'inst')
if (now[3] or '') ~= ARGV[1] then return now end

local documents_begin = 3 + 8 * tonumber(ARGV[3])
redis.call('HSET', pos, 'at', ARGV[2])
redis.call('HDEL', pos, 'wm', 'jpos')
for i = 1, #KEYS - documents_begin do
  local key = KEYS[documents_begin + i]
  local id = ARGV[2 + 2 * i]
  local first = 3 + 8 * (tonumber(ARGV[3 + 2 * i]) - 1)
  local status = string.match(redis.call('GETRANGE', key, 0, 95), HEADER)
  if status then
    redis.call('SREM', KEYS[first + string.find('rkpscbte', status, 1, true)], id)
  else
    -- The document is lost: its entry may stand in any index.
    for n = 1, 8 do redis.call('SREM', KEYS[first + n], id) end
  end
  redis.call('DEL', key)
  redis.call('ZREM', timers, id)
end
if redis.call('ZCARD', timers) > 0 then return 0 end
redis.call('DEL', counters)
return 1
