-- Compares epoch and position, then writes documents, timers, indexes, counters and the new position.
-- KEYS: pos, t, n, then eight index keys per definition (r k p s c b t e), then one key per document.
-- ARGV: ep, wm, jpos, wm_to, jpos_to, owners, at, inst, number of counters, number of definitions, then name and value per
-- counter, then id, number of its definition (from 1) and bytes per document. '' stands for "none" and for "remove".
-- Answers 1 (written, or was already) or the position.
local HEADER = '^%w+:%d+:[wx]%d+:(%-?%d*):([rkpscbte]):'
local function field(value) return value or '' end

local pos, timers, counters = KEYS[1], KEYS[2], KEYS[3]
local now = redis.call('HMGET', pos, 'wm', 'jpos', 'ep', 'owners', 'at', 'inst')
local wm, jpos, ep = field(now[1]), field(now[2]), field(now[3])
if wm == ARGV[4] and jpos == ARGV[5] then return 1 end
if ep ~= ARGV[1] or wm ~= ARGV[2] or jpos ~= ARGV[3] then return now end

local counters_end = 10 + 2 * tonumber(ARGV[9])
local documents_begin = 3 + 8 * tonumber(ARGV[10])
local count = #KEYS - documents_begin

-- Everything is checked before the first write: an error below would leave half a batch behind.
for i = 1, count do
  local document = ARGV[counters_end + 3 * i]
  if document ~= '' and not string.find(document, HEADER) then
    return redis.error_reply('ERR document without header: ' .. ARGV[counters_end + 3 * i - 2])
  end
end

local function index(definition, status)
  return KEYS[3 + 8 * (definition - 1) + string.find('rkpscbte', status, 1, true)]
end

-- The first write is one that a full server refuses (a removal would pass), so such a server writes nothing at all.
redis.call('HSET', pos, 'ep', ep)
for i = 1, count do
  local key = KEYS[documents_begin + i]
  local id = ARGV[counters_end + 3 * i - 2]
  local definition = tonumber(ARGV[counters_end + 3 * i - 1])
  local document = ARGV[counters_end + 3 * i]
  local _, old = string.match(redis.call('GETRANGE', key, 0, 95), HEADER)
  local target, new
  if document ~= '' then
    target, new = string.match(document, HEADER)
  end
  if old and old ~= new then redis.call('SREM', index(definition, old), id) end
  if new then
    redis.call('SET', key, document)
    redis.call('ZADD', timers, target == '-' and '+inf' or target, id)
    if old ~= new then redis.call('SADD', index(definition, new), id) end
  else
    redis.call('DEL', key)
    redis.call('ZREM', timers, id)
  end
end
for i = 11, counters_end, 2 do
  redis.call('HSET', counters, ARGV[i], ARGV[i + 1])
end

redis.call('HSET', pos, 'owners', ARGV[6], 'at', ARGV[7], 'inst', ARGV[8])
if ARGV[4] == '' then redis.call('HDEL', pos, 'wm') else redis.call('HSET', pos, 'wm', ARGV[4]) end
if ARGV[5] == '' then redis.call('HDEL', pos, 'jpos') else redis.call('HSET', pos, 'jpos', ARGV[5]) end
return 1
